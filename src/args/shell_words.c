/* SPDX-License-Identifier: MIT */
#include "args/shell_words.h"

#include <stdlib.h>
#include <string.h>

struct splitter {
    struct shell_words words;
    char *end; /* of the bytes that have been written */
    bool is_in_word;
};

static void begin_word(struct splitter *splitter)
{
    if (!splitter->is_in_word)
        splitter->words.all[splitter->words.n++] = splitter->end;
    splitter->is_in_word = true;
}

static void end_word(struct splitter *splitter)
{
    if (splitter->is_in_word)
        *splitter->end++ = '\0';
    splitter->is_in_word = false;
}

static void put(struct splitter *splitter, char byte)
{
    begin_word(splitter);
    *splitter->end++ = byte;
}

/* Returns what stands behind the quote, or the end of the line. */
static const char *take_quoted(struct splitter *splitter, const char *at)
{
    char quote = *at++;

    begin_word(splitter);
    for (; *at && *at != quote; at++) {
        if (quote == '"' && *at == '\\' && at[1] && strchr("\"\\$`", at[1]))
            at++;
        put(splitter, *at);
    }
    return *at ? at + 1 : at;
}

static const char *take(struct splitter *splitter, const char *at)
{
    if (*at == '\'' || *at == '"')
        return take_quoted(splitter, at);
    if (*at == '\\' && at[1]) {
        put(splitter, at[1]);
        return at + 2;
    }
    if (strchr(" \t\n", *at)) {
        end_word(splitter);
    } else if (strchr(";|&", *at)) { /* another command */
        end_word(splitter);
        splitter->words.n = 0;
    } else {
        put(splitter, *at);
    }
    return at + 1;
}

/* No byte becomes more than one word with its end, but for the last one. */
bool shell_words_split(const char *line, struct shell_words *ret_words)
{
    size_t len = strlen(line);
    struct splitter splitter = {
        .words = {.all = calloc(len + 1, sizeof(char *)), .bytes = calloc(2, len + 1)}};

    if (!splitter.words.all || !splitter.words.bytes) {
        shell_words_free(&splitter.words);
        return false;
    }
    splitter.end = splitter.words.bytes;
    while (*line)
        line = take(&splitter, line);
    begin_word(&splitter);
    end_word(&splitter);
    *ret_words = splitter.words;
    return true;
}

void shell_words_free(struct shell_words *words)
{
    free(words->all);
    free(words->bytes);
    *words = (struct shell_words){0};
}
