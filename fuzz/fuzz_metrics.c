/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the writer of expositions: whatever VMs, objects and statistics are called, and whatever their
 * values are, the text has the form that its readers want, no series twice, and as many as are reported.
 *
 * An input is a list of things to add, which begin with a byte that says what: see add().
 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "fuzz.h"
#include "metrics/openmetrics.h"

enum { KEPT_MAX = 16 * 1024, TEXT_MAX = 32, BUCKETS_MAX = 70, SERIES_MAX = 64 };

/* ---- the input ------------------------------------------------------------------------------ */

static struct input {
    const uint8_t *at, *end;
} input;

/* What is added is borrowed until all is written. */
static struct {
    void *all[KEPT_MAX];
    size_t n;
} kept;

static void *keep(void *bytes)
{
    CHECK(bytes && kept.n < KEPT_MAX);
    return kept.all[kept.n++] = bytes;
}

static void let_go(void)
{
    while (kept.n)
        free(kept.all[--kept.n]);
}

static uint8_t byte(void)
{
    return input.at < input.end ? *input.at++ : 0;
}

static uint64_t number(void)
{
    uint64_t number = 0;

    for (unsigned n = byte() % 9; n; n--)
        number = number << 8 | byte();
    return number;
}

/* One of those that something is made of, or any bytes. */
static const char *text(void)
{
    static const char *const known[] = {
        "kvm",  "vm",    "vcpu",    "sched",   "halt_wait_hist",   "halt_wait_ns", "exits",
        "x",    "x_sum", "x_total", "x_count", "vitals_source_up", "x_created",    "kernel",
        "web1", "le",    "object",  "x_hist",  "x_bucket",         "x_info",
    };
    const size_t n_known = sizeof(known) / sizeof(known[0]);
    uint8_t kind = byte();
    size_t len = kind % TEXT_MAX;
    char *text;

    if (kind < n_known)
        return known[kind];
    if (len > (size_t)(input.end - input.at))
        len = (size_t)(input.end - input.at);
    text = keep(malloc(len + 1));
    memcpy(text, input.at, len);
    text[len] = '\0';
    input.at += len;
    return text;
}

static const char *text_or_null(void)
{
    return byte() % 4 ? text() : NULL;
}

/* ---- adding --------------------------------------------------------------------------------- */

static struct {
    struct metrics *metrics;
    struct metrics_vm vms[KEPT_MAX];
    size_t n_vms;
    const char *object; /* its target; NULL: there is none yet */
    struct {
        const char *provider, *name;
    } values[KEPT_MAX]; /* of the object */
    size_t n_values;
} added;

/* What is no VM is called like one without a name. */
static bool is_same(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

/* What is added twice is told apart by nothing: callers do not. */
static bool is_new_vm(const struct metrics_vm *vm)
{
    for (size_t i = 0; i < added.n_vms; i++)
        if (is_same(added.vms[i].name, vm->name) && is_same(added.vms[i].source, vm->source))
            return false;
    return true;
}

static void add_vm(void)
{
    struct metrics_vm vm = {.name = text_or_null(), .source = text()};

    vm.uuid = text_or_null();
    vm.vmm = text_or_null();
    vm.way = text_or_null();
    vm.pid = (int64_t)(number() >> 1) - 1;
    vm.is_down = byte() % 2;
    vm.time_ns = number();
    if (!is_new_vm(&vm))
        return;
    added.vms[added.n_vms++] = vm;
    metrics_add_vm(added.metrics, &vm);
    added.object = NULL;
}

static void add_object(void)
{
    const char *target = text(), *path = text_or_null();
    int64_t id = (int64_t)(number() >> 1) - 1;

    if (!added.n_vms)
        return;
    metrics_add_object(added.metrics, target, path, id);
    added.object = target;
    added.n_values = 0;
}

static bool is_new_value(const char *provider, const char *name)
{
    for (size_t i = 0; i < added.n_values; i++)
        if (!strcmp(added.values[i].provider, provider) && !strcmp(added.values[i].name, name))
            return false;
    return true;
}

static void add_value(void)
{
    const char *provider = text();
    struct vitals_stat *stat = keep(calloc(1, sizeof(*stat)));
    uint64_t *values;
    bool is_histogram;

    stat->name = text();
    stat->help = text_or_null();
    stat->type = byte() % (VITALS_LOG_HIST + 1);
    stat->unit = byte() % (VITALS_BOOLEAN + 1);
    stat->base = byte() % 8 ? 10 : 2;
    stat->exponent = (int16_t)(int8_t)byte();
    is_histogram = stat->type == VITALS_LINEAR_HIST || stat->type == VITALS_LOG_HIST;
    stat->count = is_histogram ? 1 + byte() % BUCKETS_MAX : 1;
    stat->bucket_size = stat->type == VITALS_LINEAR_HIST ? 1 + (uint32_t)number() % UINT32_MAX : 0;
    values = keep(calloc(stat->count, sizeof(*values)));
    for (size_t i = 0; i < stat->count; i++)
        values[i] = number();
    if (!added.object || !is_new_value(provider, stat->name))
        return;
    added.values[added.n_values].provider = provider;
    added.values[added.n_values++].name = stat->name;
    metrics_add_value(added.metrics, provider, stat, values, stat->count);
}

/* Two bytes of an input at least: what there is room for is more than an input has. */
static void add(void)
{
    switch (byte() % 8) {
    case 0:
        add_vm();
        break;
    case 1:
        add_object();
        break;
    default:
        add_value();
    }
}

/* ---- what is written ------------------------------------------------------------------------ */

/* A sample: its name, its labels with both braces, or none, and its value. */
struct sample {
    const char *name, *labels, *value;
    size_t name_len, labels_len, len;
};

struct checked {
    struct sample samples[KEPT_MAX];
    const char *types[KEPT_MAX];
    size_t n_samples, n_types;
};

static bool is_name(char c)
{
    return c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:", c);
}

static const char *skip_name(const char *at)
{
    CHECK(is_name(*at) && !(*at >= '0' && *at <= '9'));
    while (is_name(*at))
        at++;
    return at;
}

/* Behind the quote that ends it. */
static const char *skip_value(const char *at)
{
    CHECK(*at == '"');
    for (at++; *at != '"'; at++) {
        CHECK(*at && *at != '\n');
        if (*at == '\\') {
            at++;
            CHECK(*at == '\\' || *at == '"');
        }
    }
    return at + 1;
}

static const char *skip_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        at = skip_name(at + 1);
        CHECK(*at == '=');
        at = skip_value(at + 1);
    } while (*at == ',');
    CHECK(*at == '}');
    return at + 1;
}

static void check_sample(struct checked *checked, const char *line)
{
    struct sample *sample = &checked->samples[checked->n_samples++];
    const char *type = checked->n_types ? checked->types[checked->n_types - 1] : NULL;
    size_t type_len;

    CHECK(checked->n_samples < KEPT_MAX && type);
    type_len = (size_t)(skip_name(type) - type);
    sample->name = line;
    sample->labels = skip_name(line);
    sample->name_len = (size_t)(sample->labels - line);
    CHECK(sample->name_len >= type_len && !strncmp(line, type, type_len));
    sample->value = skip_labels(sample->labels);
    sample->labels_len = (size_t)(sample->value - sample->labels);
    sample->len = sample->name_len + sample->labels_len;
    CHECK(*sample->value++ == ' ');
    CHECK(*sample->value >= '0' && *sample->value <= '9');
    CHECK(sample->value[strspn(sample->value, "0123456789.")] == '\0');
}

static void check_line(struct checked *checked, const char *line)
{
    CHECK(text_is_plain(line));
    if (*line != '#') {
        check_sample(checked, line);
        return;
    }
    if (!strncmp(line, "# TYPE ", 7)) {
        checked->types[checked->n_types++] = line + 7;
        CHECK(checked->n_types < KEPT_MAX);
    } else {
        CHECK(!strncmp(line, "# HELP ", 7) || !strncmp(line, "# UNIT ", 7) ||
              !strcmp(line, "# EOF"));
    }
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *one = a, *other = b;
    size_t len = one->len < other->len ? one->len : other->len;
    int order = memcmp(one->name, other->name, len);

    return order ? order : (one->len > other->len) - (one->len < other->len);
}

static int compare_types(const void *a, const void *b)
{
    const char *one = *(const char *const *)a, *other = *(const char *const *)b;
    size_t len = strcspn(one, " "), other_len = strcspn(other, " ");
    int order = memcmp(one, other, len < other_len ? len : other_len);

    return order ? order : (len > other_len) - (len < other_len);
}

/* Up to the bound. */
static size_t len_of_histogram(const struct sample *sample)
{
    static const char before[] = "le=\"";
    const char *bound = NULL;

    for (const char *at = sample->labels; at + sizeof(before) - 1 < sample->value;
         at = skip_value(strchr(at, '=') + 1)) {
        if (!strncmp(at + 1, before, sizeof(before) - 1))
            bound = at;
        if (at + 1 == sample->value - 1)
            break;
    }
    return bound ? (size_t)(bound - sample->name) : 0;
}

/* Counts of buckets go up, bound by bound. */
static void check_buckets(const struct checked *checked)
{
    for (size_t i = 1; i < checked->n_samples; i++) {
        const struct sample *last = &checked->samples[i - 1], *sample = &checked->samples[i];
        size_t len = len_of_histogram(sample);

        if (len && len == len_of_histogram(last) && !memcmp(last->name, sample->name, len))
            CHECK(strtoull(last->value, NULL, 10) <= strtoull(sample->value, NULL, 10));
    }
}

static void check_no_repeats(struct checked *checked)
{
    qsort(checked->samples, checked->n_samples, sizeof(checked->samples[0]), compare_samples);
    for (size_t i = 1; i < checked->n_samples; i++) {
        bool is_repeated = !compare_samples(&checked->samples[i - 1], &checked->samples[i]);

        if (is_repeated)
            fprintf(stderr, "twice: %.*s\n", (int)checked->samples[i].len,
                    checked->samples[i].name);
        CHECK(!is_repeated);
    }
    qsort(checked->types, checked->n_types, sizeof(checked->types[0]), compare_types);
    for (size_t i = 1; i < checked->n_types; i++)
        CHECK(compare_types(&checked->types[i - 1], &checked->types[i]) != 0);
}

static void check_text(char *text, const struct metrics_form *form,
                       const struct metrics_report *report)
{
    static struct checked checked;
    const char *end = text + report->n_bytes;

    checked.n_samples = checked.n_types = 0;
    for (char *next; text < end; text = next) {
        next = strchr(text, '\n');
        CHECK(next);
        *next++ = '\0';
        check_line(&checked, text);
        CHECK((next == end && form->format == METRICS_OPENMETRICS) == !strcmp(text, "# EOF"));
    }
    CHECK(checked.n_samples == report->n_series);
    check_buckets(&checked);
    check_no_repeats(&checked);
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool put(void *opaque, const char *bytes, size_t len)
{
    buf_append(opaque, bytes, len);
    return true;
}

static void write_as(enum metrics_format format, bool is_thin, size_t series_max)
{
    struct buf out = {0};
    const struct metrics_form form = {
        .format = format, .is_thin = is_thin, .series_max = series_max, .duration_ns = 1};
    const struct metrics_sink sink = {.put = put, .opaque = &out};
    struct metrics_report report;

    CHECK(metrics_write(added.metrics, &form, &sink, &report) == 0);
    CHECK(report.n_bytes == out.len);
    buf_append(&out, "", 1);
    CHECK(!out.failed && strlen(out.data) == report.n_bytes);
    check_text(out.data, &form, &report);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > KEPT_MAX / 4)
        return 0;
    input = (struct input){data, data + size};
    added.n_vms = 0;
    added.object = NULL;
    added.metrics = metrics_new();
    CHECK(added.metrics);
    while (input.at < input.end)
        add();
    write_as(METRICS_OPENMETRICS, false, 0);
    write_as(METRICS_PROMETHEUS, false, 0);
    write_as(METRICS_OPENMETRICS, true, SERIES_MAX);
    metrics_free(added.metrics);
    let_go();
    return 0;
}
