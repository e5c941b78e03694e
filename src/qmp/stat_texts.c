/* SPDX-License-Identifier: MIT */
#include "qmp/stat_texts.h"

#include <stdlib.h>

#include "base/json_write.h"
#include "base/pieces.h"

/* All that a reply needs to know of one statistic, in one place. */
struct stat_text {
    uint32_t start, len; /* of its text */
    uint32_t zero_start; /* where its text and the value 0 begin; they end where the next begins */
    uint32_t slot;
    uint16_t buckets; /* 0: a number or a boolean */
    bool boolean;
};

struct stat_texts {
    struct schema_note note;
    size_t row_max; /* bytes that the values of a row can take at most, with their texts */
    char *bytes;    /* all texts, one behind the other, each with a "}, " in front */
    char *zeros;    /* the same with a value behind each: 0, or empty buckets */
    struct stat_text stats[]; /* and one more, where the last one ends */
};

enum { PIECE = 48 }; /* in which texts are copied: pieces_copy() */

static void free_texts(struct schema_note *note)
{
    struct stat_texts *texts = (struct stat_texts *)note;

    free(texts->bytes);
    free(texts->zeros);
    free(texts);
}

static size_t value_max(const struct vitals_stat *stat, const struct stat_form *form)
{
    return stat->count * (U64_DIGITS_MAX + strlen(", ")) + form->histogram_end.len +
           form->boolean[0].len + strlen("}");
}

static void write_text(struct buf *buf, const struct vitals_stat *stat,
                       const struct stat_form *form)
{
    /* The name needs no escapes: schema_check_stat(). */
    buf_printf(buf, "}, {\"name\": \"%s\", \"value\": %s", stat->name,
               stat_is_histogram(stat) ? form->histogram_start.bytes : "");
}

static void write_zero(struct buf *buf, const struct vitals_stat *stat,
                       const struct stat_form *form)
{
    write_text(buf, stat, form);
    if (!stat_is_histogram(stat)) {
        buf_puts(buf, stat->unit == VITALS_BOOLEAN ? form->boolean[0].bytes : "0");
        return;
    }
    for (uint32_t i = 0; i < stat->count; i++)
        buf_puts(buf, i ? ", 0" : "0");
    buf_puts(buf, form->histogram_end.bytes);
}

static struct stat_text make_text(struct buf *buf, const struct vitals_stat *stat,
                                  const struct stat_form *form)
{
    struct stat_text text = {
        .start = (uint32_t)buf->len,
        .slot = stat->slot,
        .buckets = stat_is_histogram(stat) ? stat->count : 0,
        .boolean = stat->unit == VITALS_BOOLEAN,
    };

    write_text(buf, stat, form);
    text.len = (uint32_t)buf->len - text.start;
    return text;
}

static void write_texts(struct stat_texts *texts, const struct stats_schema *schema,
                        const struct stat_form *form, struct buf *bytes, struct buf *zeros)
{
    uint32_t i;

    texts->row_max = strlen("[]");
    for (i = 0; i < schema->n_stats; i++) {
        texts->stats[i] = make_text(bytes, &schema->stats[i], form);
        texts->stats[i].zero_start = (uint32_t)zeros->len;
        write_zero(zeros, &schema->stats[i], form);
        texts->row_max += value_max(&schema->stats[i], form);
    }
    texts->stats[i] = (struct stat_text){.zero_start = (uint32_t)zeros->len};
    texts->row_max += bytes->len + PIECE;
    buf_append(bytes, (const char[PIECE]){0}, PIECE);
}

static struct stat_texts *make_texts(const struct stats_schema *schema,
                                     const struct stat_form *form)
{
    size_t size = sizeof(struct stat_texts) + (schema->n_stats + 1) * sizeof(struct stat_text);
    struct stat_texts *texts = malloc(size);
    struct buf bytes = {0}, zeros = {0};

    if (!texts)
        return NULL;
    texts->note.free = free_texts;
    write_texts(texts, schema, form, &bytes, &zeros);
    texts->bytes = bytes.data;
    texts->zeros = zeros.data;
    if (bytes.failed || zeros.failed) {
        free_texts(&texts->note);
        return NULL;
    }
    return texts;
}

static const struct stat_texts *get_texts(struct stats_schema *schema, const struct stat_form *form)
{
    struct schema_note *note = schema_get_note(schema, form->note);
    struct stat_texts *texts;

    if (note)
        return (struct stat_texts *)note;
    texts = make_texts(schema, form);
    return texts ? (struct stat_texts *)schema_keep_note(schema, form->note, &texts->note) : NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

static inline char *put_short(char *at, const struct text *text)
{
    memcpy(at, text->bytes, text->len);
    return at + text->len;
}

/* Most buckets of a histogram are empty, and most of them have empty neighbours. */
enum { BUCKETS_AT_A_TIME = 8 };

static inline bool are_empty(const uint64_t *values)
{
    return !(values[0] | values[1] | values[2] | values[3] | values[4] | values[5] | values[6] |
             values[7]);
}

static char *put_buckets(char *at, const uint64_t *values, uint32_t n)
{
    static const char empty[] = "0, 0, 0, 0, 0, 0, 0, 0, ";

    for (; n >= BUCKETS_AT_A_TIME && are_empty(values); n -= BUCKETS_AT_A_TIME) {
        memcpy(at, empty, sizeof(empty) - 1);
        at += sizeof(empty) - 1;
        values += BUCKETS_AT_A_TIME;
    }
    for (; n; n--) {
        at = u64_to_text(at, *values++);
        *at++ = ',';
        *at++ = ' ';
    }
    return at;
}

static inline char *put_value(char *at, const struct stat_text *text, const uint64_t *values,
                              const struct stat_form *form)
{
    if (text->buckets) {
        at = put_buckets(at, values, text->buckets) - strlen(", ");
        return put_short(at, &form->histogram_end);
    }
    if (text->boolean)
        return put_short(at, &form->boolean[values[0] != 0]);
    return u64_to_text(at, values[0]);
}

static bool is_empty_histogram(const uint64_t *values, uint32_t n)
{
    for (; n >= BUCKETS_AT_A_TIME; n -= BUCKETS_AT_A_TIME, values += BUCKETS_AT_A_TIME)
        if (!are_empty(values))
            return false;
    for (; n; n--)
        if (*values++)
            return false;
    return true;
}

static inline bool is_zero(const struct stat_text *text, const uint64_t *values)
{
    return text->buckets ? is_empty_histogram(values, text->buckets) : !values[0];
}

/* Where the next text goes. The first begins in the middle: there is no "}, " to put in front. */
struct pen {
    char *at;
    uint32_t skip;
};

/* Most statistics of a VM are 0, and so are their neighbours: they are copied with their values. */
static void put_zeros(struct pen *pen, const struct stat_texts *texts, uint32_t first, uint32_t end)
{
    uint32_t start = texts->stats[first].zero_start + pen->skip;
    uint32_t len = texts->stats[end].zero_start - start;

    memcpy(pen->at, texts->zeros + start, len);
    *pen = (struct pen){.at = pen->at + len};
}

static inline void put_stat(struct pen *pen, const struct stat_form *form,
                            const struct stat_texts *texts, const struct stat_text *text,
                            const uint64_t *values)
{
    char *at =
        pieces_copy(pen->at, texts->bytes + text->start + pen->skip, text->len - pen->skip, PIECE);

    *pen = (struct pen){.at = put_value(at, text, values, form)};
}

static char *put_stats(char *at, const struct stat_form *form, const struct stat_texts *texts,
                       const struct stats_part *part, const uint64_t *row)
{
    struct pen pen = {.at = at, .skip = strlen("}, ")};
    uint32_t first = 0, end = 0, i; /* the zeros that are still to be put */

    for (i = 0; i < part->n_wanted; i++) {
        uint32_t index = part->wanted[i];
        const struct stat_text *text = &texts->stats[index];
        bool zero = is_zero(text, row + text->slot);

        if (end != first && !(zero && index == end)) {
            put_zeros(&pen, texts, first, end);
            first = end;
        }
        if (!zero) {
            put_stat(&pen, form, texts, text, row + text->slot);
            continue;
        }
        if (end == first)
            first = index;
        end = index + 1;
    }
    if (end != first)
        put_zeros(&pen, texts, first, end);
    *pen.at = '}';
    return pen.at + 1;
}

void stat_texts_put_row(struct buf *out, const struct stat_form *form,
                        const struct stats_part *part, const uint64_t *row)
{
    const struct stat_texts *texts = get_texts(part->schema, form);
    char *at;

    if (!texts || !buf_reserve(out, texts->row_max)) {
        out->failed = true;
        return;
    }
    at = out->data + out->len;
    *at++ = '[';
    at = put_stats(at, form, texts, part, row);
    *at++ = ']';
    out->len = (size_t)(at - out->data);
}
