/* SPDX-License-Identifier: MIT */
/* What the verbs of the command line share. */
#ifndef ARGS_CLI_H
#define ARGS_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "vitals/qmp.h"

#define EXIT_USAGE    2 /* beside EXIT_SUCCESS and EXIT_FAILURE */
#define CLI_ERROR_MAX 200

/* ---- verbs ---------------------------------------------------------------------------------- */

/* What a shell completes the argument of an option, or an operand, with; CLI_ANYTHING: nothing. */
enum cli_words {
    CLI_ANYTHING,
    CLI_FILES,
    CLI_DIRECTORIES,
    CLI_STATISTICS,
    CLI_HISTOGRAMS,
    CLI_PROVIDERS,
    CLI_VMS,
    CLI_VCPUS,
    CLI_OBJECTS,
};

/* What an option does: which type the member of the verb's struct has that its value goes to. */
enum cli_kind {
    CLI_FLAG,     /* bool: becomes true */
    CLI_CONSTANT, /* int or an enum: becomes @constant */
    CLI_CHOICE,   /* the same: the place of the argument in @choices */
    CLI_TEXT,     /* const char *: the argument */
    CLI_TEXTS,    /* struct cli_texts: the argument of each time that it is given, */
    CLI_LIST,     /* the same, and each of what commas part */
    CLI_COUNT,    /* unsigned long: from 1 on */
    CLI_SECONDS,  /* double: from @min to @max; 500ms, 2s and 1m, too */
    CLI_PARSED,   /* what @parse makes of the argument */
};

struct cli_texts {
    const char **all;
    size_t n;
};

/* An option of a verb. A table of them ends with an entry without a name. */
struct cli_option {
    const char *name;     /* "interval" for --interval */
    char letter;          /* 'i' for -i, or 0 */
    const char *argument; /* as help names it: "SECONDS"; NULL: takes none */
    const char *help;     /* wrapped to the width of the help; \n begins a line of its own */
    enum cli_words words;
    const char *choices; /* "table json csv": all the values it can have, or NULL */
    bool is_open;        /* it can have others, too */
    enum cli_kind kind;
    size_t at; /* offset in the verb's struct of where the value goes */
    int constant;
    double min, max; /* 0: CLI_SECONDS_MIN, CLI_SECONDS_MAX */
    /* 0, or the exit status once the error has been said; @value is at @at. */
    int (*parse)(const char *command, char *text, void *value);
};

#define CLI_SECONDS_MIN 0.001
#define CLI_SECONDS_MAX 1e6

enum { CLI_TABLES_MAX = 10 };

struct cli_args;

struct verb {
    const char *name;
    const char *summary;                             /* for the list of verbs */
    const char *operands;                            /* behind the options: "STAT...", or NULL */
    enum cli_words operand_words;                    /* what they are, */
    const char *operand_choices;                     /* or all that they can be: "bash zsh" */
    size_t operands_at;                              /* offset of a struct cli_texts for them */
    bool operands_are_command;                       /* what is behind the first is its options */
    const char *about;                               /* below the line of usage; wrapped */
    const struct cli_option *tables[CLI_TABLES_MAX]; /* NULL at the end; --help comes by itself */
    const char *notes;                               /* below the options; wrapped; or NULL */
    int (*run)(struct cli_args *args);               /* returns the exit status */
};

/* ---- arguments ------------------------------------------------------------------------------ */

struct cli_args {
    const struct verb *verb;
    const char *command; /* "vitals VERB", for messages */
    int argc;
    char **argv;
    int status; /* where cli_parse() returned false */
};

/*
 * Reads all options and operands into the verb's struct @values. False: the verb ends with @status,
 * because the usage was wrong, which has been said, or --help was given, which has been printed.
 */
bool cli_parse(struct cli_args *args, void *values);

/* Frees the lists of texts in @values, in any case. */
void cli_free(const struct verb *verb, void *values);

/* Puts the value of an option where it goes. 0, or the exit status. */
int cli_take_value(const char *command, const struct cli_option *option, char *text, void *values);

/* --help and --version, which each verb has. */
extern const struct cli_option cli_common_options[];

/* The option that @word is, with its value if that stands in the same word; NULL: none. */
const struct cli_option *cli_find_option(const struct verb *verb, const char *word,
                                         const char **ret_value);

/*
 * Which argument is the verb: options of any verb may stand before it. @argc: there is none. The last
 * option before it goes to @ret_last; NULL: none, or one that no verb has.
 */
int cli_find_verb(int argc, char *const *argv, const struct verb *const *verbs, size_t n_verbs,
                  const struct cli_option **ret_last);

int cli_add_text(const char *command, struct cli_texts *texts, const char *text);

/* Says on stderr how to get help. Returns EXIT_USAGE. */
int cli_try_help(const char *command);

/* The same, after the line "@command: text". */
__attribute__((format(printf, 2, 3))) int cli_usage_error(const char *command, const char *format,
                                                          ...);

/* ---- texts ---------------------------------------------------------------------------------- */

int cli_print_help(const struct verb *verb);
int cli_print_version(void);

/* Prints @text and a line feed, wrapped to the terminal; its first line begins at column @indent. */
void cli_wrap(const char *text, size_t indent);

/* The same behind a word of @head columns, from @column on; on a narrow terminal, below it. */
void cli_wrap_behind(size_t head, const char *text, size_t column);

/* What has been typed behind the name of the program, before the word that is to be completed. */
struct cli_typed {
    const struct verb *verb;
    char *const *words;
    size_t n;
};

struct cli_naming {
    const struct verb *const *verbs;
    size_t n_verbs;
    /* Calls @offer with each name of this kind, from CLI_STATISTICS on. */
    void (*offer)(const struct cli_typed *typed, enum cli_words kind,
                  void (*offer)(void *opaque, const char *name), void *opaque);
};

/*
 * Prints the completion for the shell that is the one operand, or what can become of the words that
 * it hands on. The exit status.
 */
int cli_print_completion(struct cli_args *args, const struct cli_naming *naming);

#define CLI_FOR_EACH_OPTION(verb, option)                                                          \
    for (size_t t_ = 0; t_ < CLI_TABLES_MAX && (verb)->tables[t_]; t_++)                           \
        for (const struct cli_option *option = (verb)->tables[t_]; option->name; option++)

/*
 * The edit distance: letters to insert, drop, replace or swap with the next to get from one word to
 * the other. Neither has more than CLI_WORD_MAX bytes.
 */
#define CLI_WORD_MAX 63
size_t cli_count_typos(const char *a, const char *b);

/*
 * Parses the value of --qmp, PATH[,key=value]..., into pieces of @text, which it changes. Returns
 * 0, or -EINVAL with a text in @error.
 */
int cli_parse_qmp(char *text, struct vitals_listen_options *ret_options, char error[CLI_ERROR_MAX]);

#endif
