/* SPDX-License-Identifier: MIT */
/*
 * One record after the other, in the form that was chosen: a table for people, JSON or CSV for
 * programs. Whoever has records says once what fields they have; the writer sets commas, titles
 * and headings. A field has a name for programs and a title for people; NULL: not for them.
 *
 *      record_open(&writer);                       {"schema_version": 1
 *      record_list(&writer, "vms");                , "vms": [
 *      record_begin(&writer);                      {
 *      record_text(&writer, "vm", "VM", name);     "vm": "web1"
 *      record_end(&writer);                        }
 *      record_close(&writer);                      ]}
 */
#ifndef SHOW_RECORD_H
#define SHOW_RECORD_H

#include "show/output.h"

struct record_writer {
    enum output_format format;
    bool has_legend; /* table and CSV: a line of titles */
    /* below: its own */
    bool is_in_record, has_comma;
    bool has_titles;   /* they are known; those of CSV have been printed */
    bool is_blank;     /* the record has titles only */
    size_t n_fields;   /* of the record */
    size_t n_lists;    /* of JSON, that are open */
    struct buf titles; /* of CSV */
    struct buf text;   /* of JSON, or the line of CSV */
    struct table_column *columns;
    struct table table;
};

/* Begins an output; each has a table or a line of JSON of its own, and CSV goes on. */
void record_open(struct record_writer *to);
void record_close(struct record_writer *to); /* prints it */
void record_free(struct record_writer *to);

/* JSON only: a list of records; record_close() ends one that is open. */
void record_list(struct record_writer *to, const char *name);
void record_list_end(struct record_writer *to);

/* All records of a list have the same fields in the same order. */
void record_begin(struct record_writer *to);
void record_end(struct record_writer *to);

/*
 * A record of which only the titles count, for an output without any other. False: it is not wanted,
 * because they are known, or this form has none.
 */
bool record_begin_blank(struct record_writer *to);

/* ---- fields: those outside of records are for JSON -------------------------------------------- */

/* @text may be NULL, as record_null(). */
void record_text(struct record_writer *to, const char *name, const char *title, const char *text);
void record_u64(struct record_writer *to, const char *name, const char *title, uint64_t value);
void record_i64(struct record_writer *to, const char *name, const char *title, int64_t value);
void record_bool(struct record_writer *to, const char *name, const char *title, bool value);
__attribute__((format(printf, 4, 5))) void record_number(struct record_writer *to, const char *name,
                                                         const char *title, const char *format,
                                                         ...);

/* There is no value. */
void record_null(struct record_writer *to, const char *name, const char *title);

/* The same, and JSON has no such member then. */
void record_absent(struct record_writer *to, const char *name, const char *title);

/* JSON only. */
void record_values(struct record_writer *to, const char *name, const uint64_t *values, size_t n);

/* What the values of a statistic mean: type, unit, base, exponent, bucket_size. NULL: not known. */
void record_stat(struct record_writer *to, const struct vitals_stat *stat, const char *type_title);

/* For people: a number with its unit. */
void record_quantity(struct record_writer *to, const char *title, const char *text);

#endif
