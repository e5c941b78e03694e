/* SPDX-License-Identifier: MIT */
#include "look/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/histogram.h"
#include "client/json.h"
#include "base/json_memory.h"
#include "base/buf.h"
#include "base/count.h"
#include "base/json_comma.h"
#include "base/json_members.h"
#include "base/json_number.h"
#include "look/snapshot_vms.h"
#include "qmp/stat_names.h"

struct reader {
    const char *path;
    char *error;
    struct snapshot_file *snapshot;
    size_t n_values;
};

__attribute__((format(printf, 2, 3))) static int fail(struct reader *reader, const char *format,
                                                      ...)
{
    int n = snprintf(reader->error, SNAPSHOT_ERROR_MAX, "%s: ", reader->path);
    va_list args;

    va_start(args, format);
    if (n > 0 && n < SNAPSHOT_ERROR_MAX)
        vsnprintf(reader->error + n, SNAPSHOT_ERROR_MAX - (size_t)n, format, args);
    va_end(args);
    return -1;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static int refuse_size(struct reader *reader)
{
    return fail(reader, "larger than a snapshot can be, %d bytes", SNAPSHOT_FILE_MAX);
}

/* A pipe says how much it has only at its end. */
static bool is_large_file(FILE *file)
{
    struct stat st;

    return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > SNAPSHOT_FILE_MAX;
}

static int read_bytes(struct reader *reader, FILE *file, struct buf *bytes)
{
    char piece[65536];
    size_t n;

    if (is_large_file(file))
        return refuse_size(reader);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0) {
        buf_append(bytes, piece, n);
        if (bytes->failed || bytes->len > SNAPSHOT_FILE_MAX)
            return refuse_size(reader);
    }
    while (bytes->len && strchr(" \t\r\n", bytes->data[bytes->len - 1]))
        bytes->len--;
    return ferror(file) ? fail(reader, "%s", strerror(errno)) : 0;
}

/* Of a pipe to which nobody writes, read() says that it has ended, and poll() that it has not begun. */
static int await_writer(struct reader *reader, int fd, struct buf *bytes)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char byte;
    ssize_t n;

    if (poll(&pollfd, 1, SNAPSHOT_WRITER_MS) != 0)
        return 0;
    n = read(fd, &byte, sizeof(byte));
    if (n == 0)
        return fail(reader, "a pipe to which nobody writes");
    if (n > 0)
        buf_append(bytes, &byte, sizeof(byte));
    return 0;
}

/* A device may be silent without end, and do something when it is opened. */
static int check_kind(struct reader *reader, const struct stat *st)
{
    if (S_ISREG(st->st_mode) || S_ISFIFO(st->st_mode))
        return 0;
    if (S_ISDIR(st->st_mode))
        return fail(reader, "%s", strerror(EISDIR));
    return fail(reader, "neither a file nor a pipe");
}

/* Neither opening nor what is there waits for anybody but the writer of a pipe. */
static FILE *open_named(struct reader *reader, struct stat *ret_stat)
{
    int fd = stat(reader->path, ret_stat) < 0 ? -1 : 0;
    FILE *file;

    if (!fd && check_kind(reader, ret_stat))
        return NULL;
    if (!fd)
        fd = open(reader->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file)
        fail(reader, "%s", strerror(errno));
    else if (fstat(fd, ret_stat) == 0 && check_kind(reader, ret_stat) == 0)
        return file;
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return NULL;
}

static int read_named(struct reader *reader, struct buf *bytes)
{
    struct stat st;
    FILE *file = open_named(reader, &st);
    int fd, err = 0;

    if (!file)
        return -1;
    fd = fileno(file);
    if (S_ISFIFO(st.st_mode))
        err = await_writer(reader, fd, bytes);
    fcntl(fd, F_SETFL, 0);
    if (!err)
        err = read_bytes(reader, file, bytes);
    fclose(file);
    return err;
}

static int read_path(struct reader *reader, struct buf *bytes)
{
    return strcmp(reader->path, "-") ? read_named(reader, bytes) : read_bytes(reader, stdin, bytes);
}

static int fail_to_parse(struct reader *reader, enum json_tokener_error result)
{
    if (result == json_tokener_continue)
        return fail(reader, "not a snapshot: its end is missing");
    return fail(reader, "not a snapshot: %s", json_tokener_error_desc(result));
}

/* What the parser takes, and JSON does not have. @rest: what it has left. */
static int check_parsed(struct reader *reader, const char *bytes, size_t len, const char *rest)
{
    struct json_numbers numbers = {0};

    while (rest < bytes + len && *rest && strchr(" \t\r\n", *rest))
        rest++;
    if (rest < bytes + len && bytes[0] == '{' && *rest == '{')
        return fail(reader, "has more than one output\n"
                            "  Each has a line. Take one, such as the last with 'tail -n 1'.");
    if (rest < bytes + len)
        return fail_to_parse(reader, json_tokener_error_parse_unexpected);
    if (!json_numbers_fit(&numbers, bytes, len))
        return fail(reader, "not a snapshot: a number of more than 64 bits");
    if (json_trailing_comma(bytes, len) < len)
        return fail(reader, "not a snapshot: a comma before a closing bracket");
    return 0;
}

/* What the parser says of anything else tells nobody what it is. */
static bool begins_object(const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < len && bytes[i] && strchr(" \t\r\n", bytes[i]))
        i++;
    return i < len && bytes[i] == '{';
}

static int parse(struct reader *reader, const char *bytes, size_t len)
{
    struct json_members members = {0};
    struct json_tokener *parser;
    enum json_tokener_error result;
    size_t end;

    if (len == 0)
        return fail(reader, "not a snapshot: empty");
    if (!begins_object(bytes, len))
        return fail(reader, "not a snapshot: no JSON object\n"
                            "  'vitals snap' writes them; tables and CSV can't be read.");
    if (len > SNAPSHOT_FILE_MAX || json_memory(bytes, len) > SNAPSHOT_MEMORY_MAX)
        return fail(reader, "larger than a snapshot can be");
    if (!json_members_fit(&members, bytes, len))
        return fail(reader, "not a snapshot: an object of more than %d members", JSON_MEMBERS_MAX);
    parser = json_tokener_new();
    if (!parser)
        return fail(reader, "out of memory");
    reader->snapshot->json = json_tokener_parse_ex(parser, bytes, (int)len);
    result = json_tokener_get_error(parser);
    end = json_tokener_get_parse_end(parser);
    json_tokener_free(parser);
    if (result != json_tokener_success)
        return fail_to_parse(reader, result);
    return check_parsed(reader, bytes, len, bytes + end);
}

/* ---- members -------------------------------------------------------------------------------- */

static bool read_integer(struct json_object *object, const char *name, int64_t min, int64_t max,
                         int64_t *ret_number)
{
    struct json_object *value = client_signed(object, name);

    *ret_number = value ? json_object_get_int64(value) : 0;
    return value && *ret_number >= min && *ret_number <= max;
}

static bool read_u64(struct json_object *value, uint64_t *ret_number)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
        return false;
    *ret_number = json_object_get_uint64(value);
    return true;
}

bool snapshot_read_time(struct json_object *json, double *ret_time)
{
    *ret_time = json_object_get_double(json);
    return (json_object_is_type(json, json_type_double) ||
            json_object_is_type(json, json_type_int)) &&
           *ret_time >= 0 && *ret_time <= SNAPSHOT_TIME_MAX;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool read_stat(struct json_object *object, struct client_stat *stat)
{
    int type = stat_type_find(VITALS_DIALECT_FLAT, client_name(object, "type"));
    int unit = stat_unit_find(VITALS_DIALECT_GROUPED, client_name(object, "unit"));
    int64_t base, exponent, bucket_size = 0;

    stat->desc.name = client_name(object, "name");
    stat->provider = client_name(object, "provider");
    stat->target = client_name(object, "target");
    if (!stat->desc.name || !stat->provider || !stat->target || type < 0 || unit < 0 ||
        !read_integer(object, "base", 2, 10, &base) || (base != 2 && base != 10) ||
        !read_integer(object, "exponent", INT16_MIN, INT16_MAX, &exponent))
        return false;
    stat->desc.type = (uint8_t)type;
    stat->desc.unit = (uint8_t)unit;
    stat->desc.base = (uint8_t)base;
    stat->desc.exponent = (int16_t)exponent;
    if (type == VITALS_LINEAR_HIST &&
        !read_integer(object, "bucket_size", 1, UINT32_MAX, &bucket_size))
        return false;
    stat->desc.bucket_size = (uint32_t)bucket_size;
    return true;
}

/* The values go to where the values of all rows are. */
static bool read_values(struct reader *reader, struct json_object *object, struct row *row)
{
    uint64_t *values = reader->snapshot->values + reader->n_values;
    struct json_object *array = client_array(object, "values");

    row->totals = values;
    if (!histogram_is(row->stat)) {
        row->n = 1;
        reader->n_values++;
        return read_u64(client_member(object, "value", json_type_int), values);
    }
    row->n = array ? json_object_array_length(array) : 0;
    reader->n_values += row->n;
    for (size_t i = 0; i < row->n; i++)
        if (!read_u64(json_object_array_get_idx(array, i), &values[i]))
            return false;
    return row->n > 0;
}

/* A VM that was read from the kernel has none, which is null. */
const char *snapshot_read_socket(struct json_object *object)
{
    struct json_object *socket;
    bool is_there = json_object_object_get_ex(object, "socket", &socket);

    return is_there && !socket ? "" : client_name(object, "socket");
}

static bool read_row(struct reader *reader, struct json_object *object, struct row *row,
                     struct client_stat *stat)
{
    struct json_object *time;
    int64_t vcpu;

    row->vm = client_name(object, "vm");
    row->socket = snapshot_read_socket(object);
    row->path = client_name(object, "path");
    row->vcpu = read_integer(object, "vcpu", 0, INT64_MAX, &vcpu) ? vcpu : -1;
    if (!row->path && json_object_object_get(object, "path"))
        return false;
    if (json_object_object_get_ex(object, "reply_time", &time) &&
        !snapshot_read_time(time, &row->time))
        return false;
    if (!row->vm || !row->socket || !read_stat(object, stat))
        return false;
    row->target = stat->target;
    row->provider = stat->provider;
    row->stat = &stat->desc;
    return read_values(reader, object, row);
}

static size_t count_values(struct json_object *stats)
{
    size_t n = 0;

    for (size_t i = 0; i < json_object_array_length(stats); i++) {
        struct json_object *values = client_array(json_object_array_get_idx(stats, i), "values");
        n += 1 + (values ? json_object_array_length(values) : 0);
    }
    return n;
}

/* ---- finding rows --------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_descs(const struct vitals_stat *a, const struct vitals_stat *b)
{
    int order = compare_numbers(a->type, b->type);

    if (!order)
        order = compare_numbers(a->unit, b->unit);
    if (!order)
        order = compare_numbers(a->base, b->base);
    if (!order)
        order = a->exponent - b->exponent;
    return order ? order : compare_numbers(a->bucket_size, b->bucket_size);
}

static int compare_stats(const struct row *a, const struct row *b)
{
    int order = strcmp(a->stat->name, b->stat->name);

    if (!order)
        order = strcmp(a->provider, b->provider);
    if (!order)
        order = strcmp(a->target, b->target);
    return order ? order : compare_descs(a->stat, b->stat);
}

static int compare_identities(const struct row *a, const struct row *b)
{
    int order = strcmp(a->vm, b->vm);

    if (!order)
        order = strcmp(a->path ? a->path : "", b->path ? b->path : "");
    if (!order)
        order = compare_stats(a, b);
    return order ? order : compare_numbers(a->n, b->n);
}

/* Of one identity, those of one socket are together. */
static int compare_origins(const struct row *a, const struct row *b)
{
    int order = compare_identities(a, b);

    return order ? order : strcmp(a->socket, b->socket);
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *const *row_a = a, *const *row_b = b;
    int order = compare_origins(*row_a, *row_b);

    return order ? order : (*row_a > *row_b) - (*row_a < *row_b);
}

/* Rows of one name are together in the order. Returns where the next name begins. */
static size_t mark_name(struct snapshot_file *snapshot, size_t first)
{
    struct row *const *rows = snapshot->by_identity;
    bool is_alone = true;
    size_t end = first;

    for (; end < snapshot->n_rows && !strcmp(rows[end]->vm, rows[first]->vm); end++)
        is_alone = is_alone && !strcmp(rows[end]->socket, rows[first]->socket);
    for (size_t i = first; i < end; i++)
        snapshot->is_alone[rows[i] - snapshot->rows] = is_alone;
    return end;
}

static void sort_rows(struct snapshot_file *snapshot)
{
    for (size_t i = 0; i < snapshot->n_rows; i++) {
        snapshot->by_identity[i] = &snapshot->rows[i];
        if (snapshot->rows[i].n > snapshot->n_values_max)
            snapshot->n_values_max = snapshot->rows[i].n;
    }
    qsort(snapshot->by_identity, snapshot->n_rows, sizeof(struct row *), compare_rows);
    for (size_t i = 0; i < snapshot->n_rows;)
        i = mark_name(snapshot, i);
}

typedef int compare_fn(const struct row *a, const struct row *b);

/* The first row in the order that is like this one and stands in the file at @from or behind. */
static const struct row *find_from(const struct snapshot_file *snapshot, const struct row *like,
                                   compare_fn *compare, size_t from)
{
    size_t low = 0, high = snapshot->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct row *row = snapshot->by_identity[middle];
        int order = compare(row, like);

        if (order < 0 || (order == 0 && (size_t)(row - snapshot->rows) < from))
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->n_rows && !compare(snapshot->by_identity[low], like)
               ? snapshot->by_identity[low]
               : NULL;
}

/* A VM may have been asked twice: then the place says which is which. */
static const struct row *find(const struct snapshot_file *snapshot, const struct row *like,
                              compare_fn *compare, size_t expected)
{
    const struct row *row;

    if (expected < snapshot->n_rows && !compare(&snapshot->rows[expected], like))
        return &snapshot->rows[expected];
    row = find_from(snapshot, like, compare, expected);
    return row ? row : find_from(snapshot, like, compare, 0);
}

const struct row *snapshot_find(const struct snapshot_file *snapshot, const struct row *like,
                                bool is_alone, size_t expected)
{
    const struct row *row = find(snapshot, like, compare_origins, expected);

    if (row || !is_alone)
        return row;
    row = find(snapshot, like, compare_identities, expected);
    return row && snapshot->is_alone[row - snapshot->rows] ? row : NULL;
}

/* What snapshots tell apart, but for rounding: rates over less would be no numbers. */
#define SECONDS_MIN 0.0005

/* How long @after came behind @before; a clock that was set between the two does not count. */
static double seconds_from(const struct snapshot_file *before, double time_before,
                           const struct snapshot_file *after, double time)
{
    bool is_one_boot = before->boot_id && after->boot_id && before->has_boot_time &&
                       after->has_boot_time && !strcmp(before->boot_id, after->boot_id);

    return is_one_boot ? (time - after->boot_time) - (time_before - before->boot_time)
                       : time - time_before;
}

double snapshot_seconds(const struct snapshot_file *before, const struct snapshot_file *after)
{
    return seconds_from(before, before->time, after, after->time);
}

/* A reply may come late. Where it is not known when, it was soon after the question. */
static double seconds_between(const struct snapshot_file *before, const struct row *row_before,
                              const struct snapshot_file *after, const struct row *row)
{
    bool has_times = row_before->time > 0 && row->time > 0;

    return has_times ? seconds_from(before, row_before->time, after, row->time)
                     : seconds_from(before, before->time, after, after->time);
}

bool snapshot_is_later(const struct snapshot_file *snapshot, const struct snapshot_file *than)
{
    bool is_later = seconds_from(than, than->time, snapshot, snapshot->time) >= SECONDS_MIN;

    for (size_t i = 0; i < snapshot->n_rows && is_later; i++) {
        const struct row *row = &snapshot->rows[i];
        const struct row *before = snapshot_find(than, row, snapshot->is_alone[i], i);

        is_later = !before || seconds_between(than, before, snapshot, row) >= SECONDS_MIN;
    }
    return is_later;
}

bool snapshot_subtract(const struct snapshot_file *before, const struct snapshot_file *after,
                       size_t i, bool is_reset, uint64_t *deltas, struct row *ret_row)
{
    struct row row = after->rows[i];
    const struct row *row_before = snapshot_find(before, &row, after->is_alone[i], i);

    if (!row_before)
        return false;
    row.before = row_before->totals;
    row.seconds = seconds_between(before, row_before, after, &row);
    if (row_is_counting(row.stat)) {
        memcpy(deltas, row.before, row.n * sizeof(*deltas));
        row.is_reset = is_reset || !row_subtract(deltas, row.totals, row.n);
        row.deltas = row.is_reset ? NULL : deltas;
    }
    *ret_row = row;
    return true;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void find_origins(struct snapshot_file *snapshot)
{
    for (size_t i = 0; i < snapshot->n_rows; i++) {
        const struct snapshot_vm *vm = snapshot_find_vm(snapshot, &snapshot->rows[i]);

        if (vm)
            snapshot->rows[i].origin = &vm->origin;
    }
}

static int read_rows(struct reader *reader, struct json_object *stats)
{
    struct snapshot_file *snapshot = reader->snapshot;
    size_t n = json_object_array_length(stats);

    snapshot->rows = calloc(n + 1, sizeof(*snapshot->rows));
    snapshot->by_identity = calloc(n + 1, sizeof(*snapshot->by_identity));
    snapshot->is_alone = calloc(n + 1, sizeof(*snapshot->is_alone));
    snapshot->stats = calloc(n + 1, sizeof(*snapshot->stats));
    snapshot->values = calloc(count_values(stats) + 1, sizeof(uint64_t));
    if (!snapshot->rows || !snapshot->by_identity || !snapshot->is_alone || !snapshot->stats ||
        !snapshot->values)
        return fail(reader, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!read_row(reader, json_object_array_get_idx(stats, i), &snapshot->rows[i],
                      &snapshot->stats[i]))
            return fail(reader, "not a snapshot: statistic %zu lacks a member, or has a wrong one",
                        i + 1);
    snapshot->n_rows = n;
    find_origins(snapshot);
    sort_rows(snapshot);
    return 0;
}

static int read_json(struct reader *reader)
{
    struct json_object *json = reader->snapshot->json;
    struct json_object *stats = client_array(json, "stats");
    int64_t version;
    size_t wrong;
    int err;

    if (!read_integer(json, "schema_version", INT64_MIN, INT64_MAX, &version) || !stats ||
        !snapshot_read_time(json_object_object_get(json, "time"), &reader->snapshot->time))
        return fail(reader, "not a snapshot: 'vitals snap' writes them");
    if (version != 1)
        return fail(reader, "a snapshot of version %lld; this vitals reads version 1",
                    (long long)version);
    err = snapshot_read_vms(reader->snapshot, &wrong);
    if (err == -ENOMEM)
        return fail(reader, "out of memory");
    if (err)
        return fail(reader, "not a snapshot: VM %zu lacks a member, or has a wrong one", wrong);
    return read_rows(reader, stats);
}

int snapshot_parse(const char *name, const char *bytes, size_t len,
                   struct snapshot_file *ret_snapshot, char error[SNAPSHOT_ERROR_MAX])
{
    struct reader reader = {.path = name, .error = error, .snapshot = ret_snapshot};
    int err;

    *ret_snapshot = (struct snapshot_file){0};
    err = parse(&reader, bytes, len);
    if (!err)
        err = read_json(&reader);
    if (err)
        snapshot_free(ret_snapshot);
    return err;
}

int snapshot_read(const char *path, struct snapshot_file *ret_snapshot,
                  char error[SNAPSHOT_ERROR_MAX])
{
    struct reader reader = {.path = path, .error = error};
    struct buf bytes = {0};
    int err = read_path(&reader, &bytes);

    *ret_snapshot = (struct snapshot_file){0};
    if (!err)
        err = snapshot_parse(path, bytes.data, bytes.len, ret_snapshot, error);
    buf_free(&bytes);
    return err;
}

void snapshot_free(struct snapshot_file *snapshot)
{
    json_object_put(snapshot->json);
    free(snapshot->rows);
    free(snapshot->by_identity);
    free(snapshot->is_alone);
    free(snapshot->stats);
    free(snapshot->values);
    free(snapshot->vms);
    free(snapshot->threads);
    *snapshot = (struct snapshot_file){0};
}
