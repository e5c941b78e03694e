/* SPDX-License-Identifier: MIT */
#include "qmp/stat_texts.h"

#include <stdlib.h>

#include "qmp/json_write.h"

struct stat_texts {
    struct schema_note note;
    size_t row_max;   /* bytes that the values of a row can take at most, with their texts */
    char *bytes;      /* all texts, one behind the other, each with a ", " in front */
    uint32_t start[]; /* of each statistic's text; one more: the end */
};

static void free_texts(struct schema_note *note)
{
    struct stat_texts *texts = (struct stat_texts *)note;

    free(texts->bytes);
    free(texts);
}

static size_t value_max(const struct vitals_stat *stat, const struct stat_form *form)
{
    return stat->count * (U64_DIGITS_MAX + strlen(", ")) + strlen(form->histogram_end) +
           strlen(form->false_text) + strlen("}");
}

static void write_text(struct buf *buf, const struct vitals_stat *stat,
                       const struct stat_form *form)
{
    /* The name needs no escapes: schema_check_stat(). */
    buf_printf(buf, ", {\"name\": \"%s\", \"value\": %s", stat->name,
               stat_is_histogram(stat) ? form->histogram_start : "");
}

static struct stat_texts *make_texts(const struct stats_schema *schema,
                                     const struct stat_form *form)
{
    struct stat_texts *texts = malloc(sizeof(*texts) + (schema->n_stats + 1) * sizeof(uint32_t));
    struct buf buf = {0};
    uint32_t i;

    if (!texts)
        return NULL;
    texts->note.free = free_texts;
    texts->row_max = strlen("[]");
    for (i = 0; i < schema->n_stats; i++) {
        texts->start[i] = (uint32_t)buf.len;
        write_text(&buf, &schema->stats[i], form);
        texts->row_max += value_max(&schema->stats[i], form);
    }
    texts->start[i] = (uint32_t)buf.len;
    texts->row_max += buf.len;
    texts->bytes = buf.data;
    if (buf.failed) {
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

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *put_histogram(char *at, const struct vitals_stat *stat, const uint64_t *values,
                           const struct stat_form *form)
{
    uint32_t i;

    at = u64_to_text(at, values[0]);
    for (i = 1; i < stat->count; i++) {
        *at++ = ',';
        *at++ = ' ';
        at = u64_to_text(at, values[i]);
    }
    return put_text(at, form->histogram_end);
}

static char *put_value(char *at, const struct vitals_stat *stat, const uint64_t *values,
                       const struct stat_form *form)
{
    if (stat_is_histogram(stat))
        return put_histogram(at, stat, values, form);
    if (stat->unit == VITALS_BOOLEAN)
        return put_text(at, values[0] ? form->true_text : form->false_text);
    return u64_to_text(at, values[0]);
}

void stat_texts_put_row(struct buf *out, const struct stat_form *form,
                        const struct stats_part *part, const uint64_t *row)
{
    const struct stat_texts *texts = get_texts(part->schema, form);
    uint32_t i;
    char *at;

    if (!texts || !buf_reserve(out, texts->row_max)) {
        out->failed = true;
        return;
    }
    at = out->data + out->len;
    *at++ = '[';
    for (i = 0; i < part->n_wanted; i++) {
        const struct vitals_stat *stat = &part->schema->stats[part->wanted[i]];
        uint32_t start = texts->start[part->wanted[i]] + (i ? 0 : 2); /* the first has no comma */
        uint32_t len = texts->start[part->wanted[i] + 1] - start;

        memcpy(at, texts->bytes + start, len);
        at = put_value(at + len, stat, row + stat->slot, form);
        *at++ = '}';
    }
    *at++ = ']';
    out->len = (size_t)(at - out->data);
}
