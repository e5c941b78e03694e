/* SPDX-License-Identifier: MIT */
/* Values as OpenMetrics and Prometheus read them. The allocations can be made to fail. */
#include "metrics/openmetrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "check.h"
#include "metrics/family.h"

/* ---- memory --------------------------------------------------------------------------------- */

static struct {
    long count;
    long fail_at; /* the number of the allocation that fails; 0: none */
} allocations;

static bool must_fail(void)
{
    return ++allocations.count == allocations.fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return must_fail() ? NULL : __real_reallocarray(old, n, size);
}

/* ---- work ----------------------------------------------------------------------------------- */

static unsigned long sums_looked_for;

const char *__real_kvm_sum_of_histogram(const char *name);
const char *__wrap_kvm_sum_of_histogram(const char *name);

const char *__wrap_kvm_sum_of_histogram(const char *name)
{
    sums_looked_for++;
    return __real_kvm_sum_of_histogram(name);
}

/* ---- what is written ------------------------------------------------------------------------ */

static const struct metrics_form openmetrics = {.format = METRICS_OPENMETRICS};
static const struct metrics_form prometheus = {.format = METRICS_PROMETHEUS};

static bool take(void *opaque, const char *bytes, size_t len)
{
    buf_append(opaque, bytes, len);
    return true;
}

/* Until the next call. */
static const char *written(struct metrics *metrics, const struct metrics_form *form,
                           struct metrics_report *ret_report)
{
    static struct buf out;
    const struct metrics_sink sink = {.put = take, .opaque = &out};

    buf_reset(&out);
    check_ok(metrics_write(metrics, form, &sink, ret_report));
    buf_append(&out, "", 1);
    assert_false(out.failed);
    return out.data;
}

static size_t count_lines(const char *text, const char *begin)
{
    size_t n = 0;

    for (; text && *text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
        n += !strncmp(text, begin, strlen(begin));
    return n;
}

static void check_absent(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' is in the text", part);
}

/* What says nothing of the values: those are compared as a whole. */
static void check_values(struct metrics *metrics, const struct metrics_form *form,
                         const char *expected)
{
    const char *text = written(metrics, form, NULL);
    char *begin = strstr(text, "\nkvm_vm_info"), *end = strstr(text, "# TYPE vitals_source_up");

    assert_non_null(begin);
    assert_non_null(end);
    begin = strchr(begin + 1, '\n') + 1;
    *end = '\0';
    assert_string_equal(begin, expected);
}

static struct metrics *new_metrics(void)
{
    struct metrics *metrics = metrics_new();

    if (!metrics)
        abort();
    return metrics;
}

static void add_vm(struct metrics *metrics, const char *name, int64_t pid)
{
    metrics_add_vm(metrics, &(struct metrics_vm){.name = name, .source = name, .pid = pid});
}

static void add_one(struct metrics *metrics, const struct vitals_stat *stat, const uint64_t *value)
{
    metrics_add_value(metrics, "p", stat, value, 1);
}

static const struct vitals_stat count = {.name = "things", .type = VITALS_CUMULATIVE, .base = 10};
static const struct vitals_stat gauge = {.name = "level", .type = VITALS_INSTANT, .base = 10};
static const struct vitals_stat log_ns = {.name = "wait_hist",
                                          .type = VITALS_LOG_HIST,
                                          .unit = VITALS_SECONDS,
                                          .base = 10,
                                          .exponent = -9};
static const struct vitals_stat linear = {
    .name = "size_hist", .type = VITALS_LINEAR_HIST, .base = 10, .bucket_size = 10};

/* ---- names ---------------------------------------------------------------------------------- */

static const struct {
    const char *provider, *target, *name;
    uint8_t type, unit, base;
    int16_t exponent;
    const char *expected, *unit_name;
} names[] = {
    {"kvm", "vcpu", "exits", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "kvm_vcpu_exits", NULL},
    {"kvm", "vm", "pages_4k", VITALS_INSTANT, VITALS_NONE, 10, 0, "kvm_vm_pages_4k", NULL},
    {"kvm", "vm", "max_hash", VITALS_PEAK, VITALS_NONE, 10, 0, "kvm_vm_max_hash", NULL},
    {"kvm", "vcpu", "guest_mode", VITALS_INSTANT, VITALS_BOOLEAN, 10, 0, "kvm_vcpu_guest_mode",
     NULL},
    {"kvm", "vcpu", "halt_wait_ns", VITALS_CUMULATIVE, VITALS_SECONDS, 10, -9,
     "kvm_vcpu_halt_wait_seconds", "seconds"},
    {"kvm", "vcpu", "halt_wait_hist", VITALS_LOG_HIST, VITALS_SECONDS, 10, -9,
     "kvm_vcpu_halt_wait_duration_seconds", "seconds"},
    {"sched", "vm", "resident_bytes", VITALS_INSTANT, VITALS_BYTES, 10, 0,
     "sched_vm_resident_bytes", "bytes"},
    {"demo", "vm", "demo_memory", VITALS_INSTANT, VITALS_BYTES, 2, 10, "demo_vm_memory_bytes",
     "bytes"},
    {"p", "disk", "latency_us", VITALS_CUMULATIVE, VITALS_SECONDS, 10, -6, "p_disk_latency_seconds",
     "seconds"},
    {"p", "disk", "busy", VITALS_CUMULATIVE, VITALS_CYCLES, 10, 0, "p_disk_busy_cycles", "cycles"},
    {"p", "vm", "sizes", VITALS_LOG_HIST, VITALS_BYTES, 10, 0, "p_vm_sizes_size_bytes", "bytes"},
    {"p", "vm", "depth_hist", VITALS_LINEAR_HIST, VITALS_NONE, 10, 0, "p_vm_depth_distribution",
     NULL},
    {"p", "vm", "cost_histogram", VITALS_LINEAR_HIST, VITALS_CYCLES, 10, 0,
     "p_vm_cost_duration_cycles", "cycles"},
    {"p", "vm", "flag_hist", VITALS_LINEAR_HIST, VITALS_BOOLEAN, 10, 0, "p_vm_flag_distribution",
     NULL},
    {"cryptodev", "cryptodev", "encrypt-ops", VITALS_CUMULATIVE, VITALS_NONE, 10, 0,
     "cryptodev_encrypt_ops", NULL},
    {"p", "vm", "all_total", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "p_vm_all", NULL},
    {"p", "vm", "all_total", VITALS_INSTANT, VITALS_NONE, 10, 0, "p_vm_all_total_value", NULL},
    {"p", "vm", "irq_count", VITALS_PEAK, VITALS_NONE, 10, 0, "p_vm_irq_count_value", NULL},
    {"p", "vm", "irq_count", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "p_vm_irq_count", NULL},
    {"p", "vm", "x_ns", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "p_vm_x_ns", NULL},
    {"p", "vm", "_ns", VITALS_CUMULATIVE, VITALS_SECONDS, 10, -9, "p_vm__ns_seconds", "seconds"},
    {"p", "vm", "bytes", VITALS_CUMULATIVE, VITALS_BYTES, 10, 0, "p_vm_bytes", "bytes"},
    {"p", "vm", "p_bytes", VITALS_INSTANT, VITALS_BYTES, 10, 0, "p_vm_bytes", "bytes"},
    {"p", "vm", "bytes_total", VITALS_CUMULATIVE, VITALS_BYTES, 10, 0, "p_vm_bytes", "bytes"},
    {"p", "vm", "seconds", VITALS_CUMULATIVE, VITALS_SECONDS, 10, -9, "p_vm_seconds", "seconds"},
    {"p", "vm", "cycles", VITALS_PEAK, VITALS_CYCLES, 10, 0, "p_vm_cycles", "cycles"},
    /* What was not in the way of these is not now. */
    {"p", "vm", "bytes_bytes", VITALS_CUMULATIVE, VITALS_BYTES, 10, 0, "p_vm_bytes_bytes", "bytes"},
    {"p", "vm", "seconds_ns", VITALS_INSTANT, VITALS_SECONDS, 10, -9, "p_vm_seconds_seconds",
     "seconds"},
    {"p", "vm", "bytes", VITALS_CUMULATIVE, VITALS_SECONDS, 10, 0, "p_vm_bytes_seconds", "seconds"},
    {"p", "vm", "bytes", VITALS_INSTANT, VITALS_NONE, 10, 0, "p_vm_bytes", NULL},
    {"p", "vm", "bytes", VITALS_LOG_HIST, VITALS_BYTES, 10, 0, "p_vm_bytes_size_bytes", "bytes"},
    {"p", "vm", "seconds_hist", VITALS_LOG_HIST, VITALS_SECONDS, 10, -9,
     "p_vm_seconds_duration_seconds", "seconds"},
    {"p", "vm", "megabytes", VITALS_INSTANT, VITALS_BYTES, 10, 6, "p_vm_megabytes_bytes", "bytes"},
    /* The name of a sample of another family, "p_vm". */
    {"p", "vm", "total", VITALS_INSTANT, VITALS_NONE, 10, 0, "p_vm_total_value", NULL},
    {"p", "vm", "count", VITALS_PEAK, VITALS_NONE, 10, 0, "p_vm_count_value", NULL},
    {"p", "vm", "p_sum", VITALS_INSTANT, VITALS_BOOLEAN, 10, 0, "p_vm_sum_value", NULL},
    {"p", "vm", "recount", VITALS_INSTANT, VITALS_NONE, 10, 0, "p_vm_recount", NULL},
    {"9p", "vm", "a b:c", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "x9p_vm_a_b_c", NULL},
    {"_", "\xc3\xa9", "n", VITALS_CUMULATIVE, VITALS_NONE, 10, 0, "x_____n", NULL},
};

static void names_follow_from_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const struct vitals_stat stat = {.name = names[i].name,
                                         .type = names[i].type,
                                         .unit = names[i].unit,
                                         .base = names[i].base,
                                         .exponent = names[i].exponent};
        struct buf name = {0};

        family_put_name(&name, names[i].provider, names[i].target, &stat);
        buf_append(&name, "", 1);
        assert_false(name.failed);
        assert_string_equal(name.data, names[i].expected);
        if (names[i].unit_name)
            assert_string_equal(family_unit(&stat), names[i].unit_name);
        else
            assert_null(family_unit(&stat));
        buf_free(&name);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_example(struct metrics *metrics)
{
    static const struct vitals_stat time = {.name = "wait_ns",
                                            .help = "Time, \"all\" of it\nor \\ less.",
                                            .type = VITALS_CUMULATIVE,
                                            .unit = VITALS_SECONDS,
                                            .base = 10,
                                            .exponent = -9};
    static const uint64_t values[] = {1, 2, 3000000001, UINT64_MAX};

    metrics_add_vm(metrics, &(struct metrics_vm){.name = "web1",
                                                 .source = "/run/web1.sock",
                                                 .uuid = "8e6f",
                                                 .vmm = "qemu",
                                                 .way = "socket",
                                                 .pid = 4242,
                                                 .time_ns = 1795707530624000000});
    metrics_add_object(metrics, "vm", NULL, -1);
    metrics_add_value(metrics, "p", &gauge, &values[0], 1);
    metrics_add_object(metrics, "vcpu", "/machine/a", 0);
    metrics_add_value(metrics, "p", &count, &values[1], 1);
    metrics_add_value(metrics, "p", &time, &values[2], 1);
    metrics_add_object(metrics, "vcpu", "/machine/b", 7);
    metrics_add_value(metrics, "p", &count, &values[3], 1);
    metrics_add_value(metrics, "p", &time, &values[3], 1);
    metrics_add_collector(metrics, "socket", 5000000);
}

static void openmetrics_as_a_whole(void **state)
{
    struct metrics *metrics = new_metrics();
    const struct metrics_form form = {.format = METRICS_OPENMETRICS, .duration_ns = 1500};

    (void)state;
    add_example(metrics);
    assert_string_equal(
        written(metrics, &form, NULL),
        "# TYPE kvm_vm info\n"
        "# HELP kvm_vm Who a VM is: its UUID, the process of its VMM, and the way it is read by.\n"
        "kvm_vm_info{vm=\"web1\",uuid=\"8e6f\",pid=\"4242\",vmm=\"qemu\",way=\"socket\"} 1\n"
        "# TYPE p_vm_level gauge\n"
        "# HELP p_vm_level Statistic level of p (instant).\n"
        "p_vm_level{vm=\"web1\"} 1\n"
        "# TYPE p_vcpu_things counter\n"
        "# HELP p_vcpu_things Statistic things of p (cumulative).\n"
        "p_vcpu_things_total{vm=\"web1\",vcpu=\"0\"} 2\n"
        "p_vcpu_things_total{vm=\"web1\",vcpu=\"7\"} 18446744073709551615\n"
        "# TYPE p_vcpu_wait_seconds counter\n"
        "# UNIT p_vcpu_wait_seconds seconds\n"
        "# HELP p_vcpu_wait_seconds Time, \\\"all\\\" of it?or \\\\ less. Statistic wait_ns of p "
        "(cumulative, seconds, 10^-9).\n"
        "p_vcpu_wait_seconds_total{vm=\"web1\",vcpu=\"0\"} 3.000000001\n"
        "p_vcpu_wait_seconds_total{vm=\"web1\",vcpu=\"7\"} 18446744073.709551615\n"
        "# TYPE vitals_source_up gauge\n"
        "# HELP vitals_source_up Whether the VM could be asked. What has never answered is called "
        "by its socket.\n"
        "vitals_source_up{vm=\"web1\",source=\"/run/web1.sock\"} 1\n"
        "# TYPE vitals_source_last_success_timestamp_seconds gauge\n"
        "# UNIT vitals_source_last_success_timestamp_seconds seconds\n"
        "# HELP vitals_source_last_success_timestamp_seconds When the VM has answered last.\n"
        "vitals_source_last_success_timestamp_seconds{vm=\"web1\",source=\"/run/web1.sock\"} "
        "1795707530.624\n"
        "# TYPE vitals_collector_duration_seconds gauge\n"
        "# UNIT vitals_collector_duration_seconds seconds\n"
        "# HELP vitals_collector_duration_seconds How long the values took to obtain.\n"
        "vitals_collector_duration_seconds{collector=\"socket\"} 0.005\n"
        "# TYPE vitals_scrape_duration_seconds gauge\n"
        "# UNIT vitals_scrape_duration_seconds seconds\n"
        "# HELP vitals_scrape_duration_seconds How long it took until this was written.\n"
        "vitals_scrape_duration_seconds 0.0000015\n"
        "# TYPE vitals_series_dropped gauge\n"
        "# HELP vitals_series_dropped Series that this exposition lacks: too many, a name or an "
        "object that is there already, a scale that is none.\n"
        "vitals_series_dropped{reason=\"limit\"} 0\n"
        "vitals_series_dropped{reason=\"name\"} 0\n"
        "vitals_series_dropped{reason=\"exponent\"} 0\n"
        "vitals_series_dropped{reason=\"object\"} 0\n"
        "# TYPE vitals_build info\n"
        "# HELP vitals_build Which release of vitals this is.\n"
        "vitals_build_info{version=\"" VITALS_VERSION "\"} 1\n"
        "# EOF\n");
    metrics_free(metrics);
}

static void the_older_text_format(void **state)
{
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_example(metrics);
    text = written(metrics, &prometheus, NULL);
    assert_contains(text, "# TYPE kvm_vm_info gauge\n# HELP kvm_vm_info Who");
    assert_contains(text, "\nkvm_vm_info{vm=\"web1\",");
    assert_contains(text, "# TYPE p_vcpu_things_total counter\n# HELP p_vcpu_things_total ");
    assert_contains(text, "# HELP p_vcpu_wait_seconds_total Time, \"all\" of it?or \\\\ less.");
    assert_contains(text, "# TYPE vitals_build_info gauge\n");
    check_absent(text, "# UNIT");
    check_absent(text, "# EOF");
    metrics_free(metrics);
}

/* All values of one family stand together. */
static void families_are_not_torn(void **state)
{
    static const uint64_t values[] = {1, 2, 3, 4};
    struct metrics *metrics = new_metrics();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        add_vm(metrics, i ? "b" : "a", -1);
        metrics_add_object(metrics, "disk", "/disk0", -1);
        add_one(metrics, &gauge, &values[2 * i]);
        add_one(metrics, &count, &values[2 * i + 1]);
    }
    check_values(metrics, &openmetrics,
                 "kvm_vm_info{vm=\"b\",uuid=\"\",pid=\"\",vmm=\"\",way=\"\"} 1\n"
                 "# TYPE p_disk_level gauge\n"
                 "# HELP p_disk_level Statistic level of p (instant).\n"
                 "p_disk_level{vm=\"a\",object=\"/disk0\"} 1\n"
                 "p_disk_level{vm=\"b\",object=\"/disk0\"} 3\n"
                 "# TYPE p_disk_things counter\n"
                 "# HELP p_disk_things Statistic things of p (cumulative).\n"
                 "p_disk_things_total{vm=\"a\",object=\"/disk0\"} 2\n"
                 "p_disk_things_total{vm=\"b\",object=\"/disk0\"} 4\n");
    metrics_free(metrics);
}

/* ---- histograms ----------------------------------------------------------------------------- */

#define HEAD(name, type, unit, stat)                                                               \
    "# TYPE " name " histogram\n" unit "# HELP " name " Statistic " stat " of p (" type ").\n"
#define HEAD_LINEAR HEAD("p_vm_size_distribution", "linear histogram", "", "size_hist")
#define HEAD_LOG                                                                                   \
    HEAD("p_vm_wait_duration_seconds", "logarithmic histogram, seconds, 10^-9",                    \
         "# UNIT p_vm_wait_duration_seconds seconds\n", "wait_hist")

static void check_histogram(const struct vitals_stat *stat, const uint64_t *buckets, size_t n,
                            const char *expected)
{
    struct metrics *metrics = new_metrics();

    add_vm(metrics, "a", -1);
    metrics_add_object(metrics, "vm", NULL, -1);
    metrics_add_value(metrics, "p", stat, buckets, n);
    check_values(metrics, &openmetrics, expected);
    metrics_free(metrics);
}

static void buckets_add_up(void **state)
{
    (void)state;
    check_histogram(&linear, (const uint64_t[]){1, 0, 5, 2}, 4,
                    HEAD_LINEAR "p_vm_size_distribution_bucket{vm=\"a\",le=\"10.0\"} 1\n"
                                "p_vm_size_distribution_bucket{vm=\"a\",le=\"20.0\"} 1\n"
                                "p_vm_size_distribution_bucket{vm=\"a\",le=\"30.0\"} 6\n"
                                "p_vm_size_distribution_bucket{vm=\"a\",le=\"+Inf\"} 8\n");
    check_histogram(&log_ns, (const uint64_t[]){1, 2, 3}, 3,
                    HEAD_LOG "p_vm_wait_duration_seconds_bucket{vm=\"a\",le=\"1e-09\"} 1\n"
                             "p_vm_wait_duration_seconds_bucket{vm=\"a\",le=\"2e-09\"} 3\n"
                             "p_vm_wait_duration_seconds_bucket{vm=\"a\",le=\"+Inf\"} 6\n");
    check_histogram(&log_ns, (const uint64_t[]){9}, 1,
                    HEAD_LOG "p_vm_wait_duration_seconds_bucket{vm=\"a\",le=\"+Inf\"} 9\n");
}

static void more_than_can_be_counted(void **state)
{
    (void)state;
    check_histogram(&linear, (const uint64_t[]){UINT64_MAX, 1, 2}, 3,
                    HEAD_LINEAR
                    "p_vm_size_distribution_bucket{vm=\"a\",le=\"10.0\"} 18446744073709551615\n"
                    "p_vm_size_distribution_bucket{vm=\"a\",le=\"20.0\"} 18446744073709551615\n"
                    "p_vm_size_distribution_bucket{vm=\"a\",le=\"+Inf\"} 18446744073709551615\n");
}

/* A VMM may describe what can't be: no bound is there twice. */
static void bounds_that_are_none(void **state)
{
    static const struct vitals_stat flat = {
        .name = "size_hist", .type = VITALS_LINEAR_HIST, .base = 10};
    static const struct vitals_stat wide = {
        .name = "size_hist", .type = VITALS_LINEAR_HIST, .base = 10, .bucket_size = UINT32_MAX};
    static uint64_t buckets[80];
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    buckets[79] = 3;
    check_histogram(&flat, buckets + 77, 3,
                    HEAD_LINEAR "p_vm_size_distribution_bucket{vm=\"a\",le=\"+Inf\"} 3\n");
    check_histogram(&wide, buckets + 78, 2,
                    HEAD_LINEAR "p_vm_size_distribution_bucket{vm=\"a\",le=\"4.294967295e+09\"} 0\n"
                                "p_vm_size_distribution_bucket{vm=\"a\",le=\"+Inf\"} 3\n");
    add_vm(metrics, "a", -1);
    metrics_add_object(metrics, "vm", NULL, -1);
    metrics_add_value(metrics, "p", &log_ns, buckets, N_ELEMENTS(buckets));
    text = written(metrics, &openmetrics, NULL);
    assert_int_equal(count_lines(text, "p_vm_wait_duration_seconds_bucket"), 65);
    assert_contains(text, "le=\"9.223372036854776e+09\"} 0\n");
    assert_contains(text, "le=\"+Inf\"} 3\n");
    metrics_free(metrics);
}

static const struct vitals_stat halt_wait_ns = {.name = "halt_wait_ns",
                                                .help = "H.",
                                                .type = VITALS_CUMULATIVE,
                                                .unit = VITALS_SECONDS,
                                                .base = 10,
                                                .exponent = -9};
static const struct vitals_stat halt_wait_hist = {.name = "halt_wait_hist",
                                                  .help = "H.",
                                                  .type = VITALS_LOG_HIST,
                                                  .unit = VITALS_SECONDS,
                                                  .base = 10,
                                                  .exponent = -9};

/* The VM "a" has no sums, "b" no third bucket. */
static void add_kvm_histograms(struct metrics *metrics)
{
    static const uint64_t sum = 17, buckets[] = {1, 2, 3};

    add_vm(metrics, "a", -1);
    metrics_add_object(metrics, "vcpu", "/a", 0);
    metrics_add_value(metrics, "kvm", &halt_wait_hist, buckets, 3);
    add_vm(metrics, "b", -1);
    metrics_add_object(metrics, "vcpu", "/a", 0);
    metrics_add_value(metrics, "kvm", &halt_wait_hist, buckets, 2);
    metrics_add_value(metrics, "kvm", &halt_wait_ns, &sum, 1);
}

static bool wants_histograms(const void *opaque, const char *provider, const char *target,
                             const struct vitals_stat *stat)
{
    (void)opaque;
    assert_string_equal(provider, "kvm");
    assert_string_equal(target, "vcpu");
    return stat->type == VITALS_LOG_HIST;
}

/* Also where the counter itself is not wanted. _count is there if _sum is. */
static void sums_are_those_of_the_counter(void **state)
{
    struct metrics *metrics = new_metrics();
    const struct metrics_form form = {.wants = wants_histograms};
    struct metrics_report report;

    (void)state;
    add_kvm_histograms(metrics);
#define NAME "kvm_vcpu_halt_wait_duration_seconds"
    check_values(
        metrics, &form,
        "kvm_vm_info{vm=\"b\",uuid=\"\",pid=\"\",vmm=\"\",way=\"\"} 1\n"
        "# TYPE " NAME " histogram\n# UNIT " NAME " seconds\n# HELP " NAME
        " H. Statistic halt_wait_hist of kvm (logarithmic histogram, seconds, 10^-9).\n" NAME
        "_bucket{vm=\"a\",vcpu=\"0\",le=\"1e-09\"} 1\n" NAME
        "_bucket{vm=\"a\",vcpu=\"0\",le=\"2e-09\"} 3\n" NAME
        "_bucket{vm=\"a\",vcpu=\"0\",le=\"+Inf\"} 6\n" NAME
        "_bucket{vm=\"b\",vcpu=\"0\",le=\"1e-09\"} 1\n" NAME
        "_bucket{vm=\"b\",vcpu=\"0\",le=\"+Inf\"} 3\n" NAME "_count{vm=\"b\",vcpu=\"0\"} 3\n" NAME
        "_sum{vm=\"b\",vcpu=\"0\"} 0.000000017\n");
    written(metrics, &form, &report);
    assert_int_equal(report.of_vcpus, 7);
    metrics_free(metrics);
}

/* A peer may have thousands of names: each is looked at once, not once for each other. */
static void many_names_are_little_work(void **state)
{
    enum { NAMES = 4096, NAME_SIZE = 16 };
    static char texts[NAMES][NAME_SIZE];
    static struct vitals_stat stats[NAMES];
    static const uint64_t buckets[2] = {1, 2};
    struct metrics *metrics = new_metrics();

    (void)state;
    add_vm(metrics, "a", -1);
    metrics_add_object(metrics, "vcpu", "/0", 0);
    sums_looked_for = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(texts[i], NAME_SIZE, "name%u", i);
        stats[i] = i % 2 ? log_ns : (struct vitals_stat){.type = VITALS_CUMULATIVE, .base = 10};
        stats[i].name = texts[i];
        metrics_add_value(metrics, "kvm", &stats[i], buckets, 1 + i % 2);
    }
    written(metrics, &openmetrics, NULL);
    assert_in_range(sums_looked_for, 1, NAMES);
    metrics_free(metrics);
}

/* The three histograms of KVM have 32 buckets. */
static void thin_histograms_have_fewer_bounds(void **state)
{
    static const uint64_t buckets[32] = {[31] = 1};
    struct metrics *metrics = new_metrics();
    const struct metrics_form form = {.is_thin = true};
    const char *text;

    (void)state;
    add_vm(metrics, "a", -1);
    metrics_add_object(metrics, "vm", NULL, -1);
    metrics_add_value(metrics, "p", &log_ns, buckets, 32);
    metrics_add_value(metrics, "p", &linear, buckets, 32);
    text = written(metrics, &form, NULL);
    assert_int_equal(count_lines(text, "p_vm_wait_duration_seconds_bucket"), 12);
    for (unsigned i = 10; i <= 30; i += 2) {
        char le[32];

        snprintf(le, sizeof(le), "le=\"%.10g\"} 0\n", (double)(1U << i) / 1e9);
        assert_contains(text, le);
    }
    assert_contains(text, "p_vm_wait_duration_seconds_bucket{vm=\"a\",le=\"+Inf\"} 1\n");
    assert_int_equal(count_lines(text, "p_vm_size_distribution_bucket"), 16);
    assert_contains(text, "{vm=\"a\",le=\"20.0\"} 0\n");
    metrics_free(metrics);
}

/* ---- labels --------------------------------------------------------------------------------- */

static void names_of_strangers(void **state)
{
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    metrics_add_vm(metrics, &(struct metrics_vm){.name = "a\"b\\c\nd\xff"
                                                         "e\xe2\x80\xae"
                                                         "f\xc3\xa9",
                                                 .source = "\"}\n# EOF\n",
                                                 .vmm = "\xf0\x9f",
                                                 .pid = 1});
    metrics_add_object(metrics, "a\"} 1\nx", "\\\"\n", -1);
    metrics_add_value(metrics, "pro\"} 1\nvider",
                      &(struct vitals_stat){.name = "n\"} 1\nx", .base = 10}, &one, 1);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "vm=\"a\\\"b\\\\c?d?e?f\xc3\xa9\"");
    assert_contains(text, ",vmm=\"??\"");
    assert_contains(text, ",source=\"\\\"}?# EOF?\"} 1\n");
    assert_contains(text, "\npro___1_vider_a___1_x_n___1_x_total{vm=");
    assert_contains(text, ",object=\"\\\\\\\"?\"} 1\n");
    assert_int_equal(count_lines(text, "# EOF"), 1);
    metrics_free(metrics);
}

static void vms_that_share_a_name(void **state)
{
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    add_vm(metrics, "a", 2);
    add_vm(metrics, "a", 2);
    add_vm(metrics, "b", 3);
    add_vm(metrics, "c", -1);
    add_vm(metrics, "c", -1);
    add_vm(metrics, "a@1", 4);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "{vm=\"a@1\",uuid=\"\",pid=\"1\"");
    assert_contains(text, "{vm=\"a@2\",uuid=\"\",pid=\"2\"");
    assert_contains(text, "{vm=\"a@2#2\",uuid=\"\",pid=\"2\"");
    assert_contains(text, "{vm=\"b\",uuid=\"\",pid=\"3\"");
    assert_contains(text, "{vm=\"c\",uuid=\"\",pid=\"\"");
    assert_contains(text, "{vm=\"c#2\",uuid=\"\",pid=\"\"");
    assert_contains(text, "{vm=\"a@1#2\",uuid=\"\",pid=\"4\"");
    metrics_free(metrics);
}

/* It has no series but this one, and no VM is renamed because of it. */
static void sources_that_fail(void **state)
{
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_vm(metrics, &(struct metrics_vm){
                                .name = "a", .source = "/b/a.sock", .pid = -1, .is_down = true});
    metrics_add_vm(metrics, &(struct metrics_vm){.source = "kernel", .pid = -1, .time_ns = 1});
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "vitals_source_up{vm=\"a\",source=\"a\"} 1\n"
                          "vitals_source_up{vm=\"a\",source=\"/b/a.sock\"} 0\n"
                          "vitals_source_up{vm=\"\",source=\"kernel\"} 1\n");
    assert_int_equal(count_lines(text, "kvm_vm_info{"), 1);
    assert_int_equal(count_lines(text, "vitals_source_last_success"), 1);
    metrics_free(metrics);
}

/* A vCPU that the VMM does not number has its path. */
static void vcpus_without_a_number(void **state)
{
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vcpu", "/machine/c[0]", -1);
    add_one(metrics, &count, &one);
    assert_contains(written(metrics, &openmetrics, NULL),
                    "p_vcpu_things_total{vm=\"a\",vcpu=\"/machine/c[0]\"} 1\n");
    metrics_free(metrics);
}

/* ---- what is left out ----------------------------------------------------------------------- */

static void an_object_that_is_there_twice(void **state)
{
    static const uint64_t values[] = {1, 2};
    struct metrics *metrics = new_metrics();
    struct metrics_report report;
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    for (size_t i = 0; i < 2; i++) {
        metrics_add_object(metrics, "vcpu", i ? "/b" : "/a", 0);
        add_one(metrics, &count, &values[i]);
        add_one(metrics, &gauge, &values[i]);
    }
    text = written(metrics, &openmetrics, &report);
    assert_int_equal(count_lines(text, "p_vcpu_things_total"), 1);
    assert_contains(text, "p_vcpu_things_total{vm=\"a\",vcpu=\"0\"} 1\n");
    assert_contains(text, "vitals_series_dropped{reason=\"object\"} 2\n");
    assert_int_equal(report.dropped[METRICS_OBJECT], 2);
    assert_int_equal(report.n_vcpus, 1);
    metrics_free(metrics);
}

static void check_clash(const char *provider, const char *name, enum vitals_type type,
                        const char *other_provider, const char *other_name, enum vitals_type other)
{
    static const uint64_t values[] = {1, 2, 3};
    const struct vitals_stat stat = {.name = name, .type = (uint8_t)type, .base = 10},
                             second = {.name = other_name, .type = (uint8_t)other, .base = 10};
    struct metrics *metrics = new_metrics();
    struct metrics_report report;

    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    metrics_add_value(metrics, provider, &stat, values, 1);
    metrics_add_value(metrics, other_provider, &second, values, 1);
    assert_contains(written(metrics, &openmetrics, &report),
                    "vitals_series_dropped{reason=\"name\"} 1\n");
    assert_int_equal(report.dropped[METRICS_NAME], 1);
    metrics_free(metrics);
}

/* The second one has no family: its name with "_total" is the first one's. */
static void a_name_that_clashes_and_comes_again(void **state)
{
    static const struct vitals_stat clashing[] = {
        {.name = "foo_total_total", .type = VITALS_CUMULATIVE, .base = 10},
        {.name = "foo", .type = VITALS_CUMULATIVE, .base = 10},
        {.name = "foo_total", .type = VITALS_CUMULATIVE, .base = 10},
    };
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();
    struct metrics_report report;

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    for (size_t i = 0; i < N_ELEMENTS(clashing); i++)
        add_one(metrics, &clashing[i], &one);
    assert_contains(written(metrics, &openmetrics, &report), "p_vm_foo_total_total{vm=\"a\"} 1\n");
    assert_int_equal(report.dropped[METRICS_NAME], 2);
    metrics_free(metrics);
}

static void names_that_clash(void **state)
{
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();

    (void)state;
    check_clash("p", "a-b", VITALS_CUMULATIVE, "p", "a_b", VITALS_CUMULATIVE);
    check_clash("p", "p_a", VITALS_INSTANT, "p", "a", VITALS_INSTANT);
    check_clash("p", "a", VITALS_INSTANT, "p", "a", VITALS_CUMULATIVE);
    check_clash("p", "a_total", VITALS_CUMULATIVE, "p", "a", VITALS_CUMULATIVE);
    check_clash("p", "a_hist", VITALS_LINEAR_HIST, "p", "a_distribution_bucket", VITALS_CUMULATIVE);
    check_clash("p-q", "a", VITALS_INSTANT, "p_q", "a", VITALS_INSTANT);
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "source", "/x", -1);
    metrics_add_value(metrics, "vitals",
                      &(struct vitals_stat){.name = "up", .type = VITALS_INSTANT, .base = 10}, &one,
                      1);
    assert_int_equal(count_lines(written(metrics, &openmetrics, NULL), "vitals_source_up{"), 1);
    metrics_free(metrics);
}

/* What is called as its unit is, and another VM's of that name that has none: they can't be added up. */
static void a_name_that_is_its_unit_and_one_that_has_none(void **state)
{
    static const struct vitals_stat bytes = {
        .name = "bytes", .type = VITALS_INSTANT, .unit = VITALS_BYTES, .base = 10};
    static const struct vitals_stat pieces = {.name = "bytes", .type = VITALS_INSTANT, .base = 10};
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();
    struct metrics_report report;
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    add_one(metrics, &bytes, &one);
    add_vm(metrics, "b", 2);
    metrics_add_object(metrics, "vm", NULL, -1);
    add_one(metrics, &pieces, &one);
    text = written(metrics, &openmetrics, &report);
    assert_contains(text, "# UNIT p_vm_bytes bytes\n");
    assert_int_equal(count_lines(text, "p_vm_bytes{"), 1);
    assert_int_equal(report.dropped[METRICS_NAME], 1);
    metrics_free(metrics);
}

static void scales_that_are_none(void **state)
{
    static const struct vitals_stat stats[] = {
        {.name = "e64", .type = VITALS_INSTANT, .base = 10, .exponent = 64},
        {.name = "e65", .type = VITALS_INSTANT, .base = 10, .exponent = 65},
    };
    static const uint64_t one = 1;
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    for (size_t i = 0; i < N_ELEMENTS(stats); i++)
        add_one(metrics, &stats[i], &one);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "p_vm_e64{vm=\"a\"} 1000");
    check_absent(text, "p_vm_e65");
    assert_contains(text, "vitals_series_dropped{reason=\"exponent\"} 1\n");
    metrics_free(metrics);
}

/* One statistic with two scales, of two VMMs, is one family. */
static void scales_may_differ(void **state)
{
    static const struct vitals_stat of_us = {.name = "halt_wait_ns",
                                             .help = "H.",
                                             .type = VITALS_CUMULATIVE,
                                             .unit = VITALS_SECONDS,
                                             .base = 10,
                                             .exponent = -6};
    static const uint64_t value = 1500000;
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_vm(metrics, "a", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    add_one(metrics, &halt_wait_ns, &value);
    add_vm(metrics, "b", 1);
    metrics_add_object(metrics, "vm", NULL, -1);
    add_one(metrics, &of_us, &value);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "p_vm_halt_wait_seconds_total{vm=\"a\"} 0.0015\n"
                          "p_vm_halt_wait_seconds_total{vm=\"b\"} 1.5\n");
    assert_int_equal(count_lines(text, "# TYPE p_vm_halt_wait_seconds "), 1);
    metrics_free(metrics);
}

/* Histograms are left out first, and always whole families. */
static void no_more_series_than_wanted(void **state)
{
    static const uint64_t values[3] = {1, 1, 1};
    struct metrics *metrics = new_metrics();
    struct metrics_form form = {.format = METRICS_PROMETHEUS};
    struct metrics_report all, report;
    const char *text;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        add_vm(metrics, i ? "b" : "a", -1);
        metrics_add_object(metrics, "vm", NULL, -1);
        metrics_add_value(metrics, "p", &linear, values, 3);
        add_one(metrics, &count, values);
    }
    text = written(metrics, &form, &all);
    assert_int_equal(all.n_series + count_lines(text, "#"), count_lines(text, ""));
    assert_int_equal(all.n_bytes, strlen(text));
    form.series_max = all.n_series;
    written(metrics, &form, &report);
    assert_int_equal(report.n_series, all.n_series);
    assert_int_equal(report.dropped[METRICS_LIMIT], 0);
    form.series_max = all.n_series - 1;
    text = written(metrics, &form, &report);
    assert_int_equal(report.n_series, all.n_series - 6);
    assert_int_equal(report.dropped[METRICS_LIMIT], 6);
    assert_int_equal(count_lines(text, "p_vm_things_total"), 2);
    assert_int_equal(count_lines(text, "p_vm_size_distribution"), 0);
    assert_contains(text, "vitals_series_dropped{reason=\"limit\"} 6\n");
    form.series_max = 1;
    text = written(metrics, &form, &report);
    assert_int_equal(report.dropped[METRICS_LIMIT], 8);
    assert_int_equal(count_lines(text, "vitals_source_up{"), 2);
    metrics_free(metrics);
}

/* ---- users ---------------------------------------------------------------------------------- */

/* A VM of a user with so many objects, each with a value of @provider. */
static void add_vm_of(struct metrics *metrics, const char *name, uint32_t uid, const char *provider,
                      const struct vitals_stat *stat, size_t n)
{
    static const uint64_t one = 1;

    metrics_add_vm(
        metrics,
        &(struct metrics_vm){.name = name, .source = name, .pid = -1, .has_uid = true, .uid = uid});
    for (size_t i = 0; i < n; i++) {
        metrics_add_object(metrics, "vcpu", NULL, (int64_t)i);
        metrics_add_value(metrics, provider, stat, &one, 1);
    }
}

/* What a VMM says of itself, however early it has come, has what the kernel's statistics leave. */
static void the_kernels_statistics_stay(void **state)
{
    struct metrics *metrics = new_metrics();
    struct metrics_form form = openmetrics;
    struct metrics_report all;
    const char *text;

    (void)state;
    add_vm_of(metrics, "a", 1, "p", &count, 100);
    add_vm_of(metrics, "b", 2, "kvm", &gauge, 50);
    written(metrics, &form, &all);
    form.series_max = all.n_series - 1;
    text = written(metrics, &form, NULL);
    assert_int_equal(count_lines(text, "kvm_vcpu_level{"), 50);
    assert_int_equal(count_lines(text, "p_vcpu_things_total{"), 0);
    assert_contains(text, "vitals_user_series_dropped{uid=\"1\",reason=\"limit\"} 100\n");
    check_absent(text, "# TYPE p_vcpu_things ");
    check_absent(text, "uid=\"2\"");
    metrics_free(metrics);
}

static void check_shares(const char *provider)
{
    struct metrics *metrics = new_metrics();
    struct metrics_form form = openmetrics;
    struct metrics_report all, report;
    const char *text;

    add_vm_of(metrics, "a", 1, provider, &count, 100);
    add_vm_of(metrics, "b", 2, provider, &count, 10);
    add_vm_of(metrics, "c", 1, provider, &gauge, 20);
    written(metrics, &form, &all);
    form.series_max = all.n_series - 100;
    text = written(metrics, &form, &report);
    assert_int_equal(report.n_series, all.n_series - 100 + 1);
    assert_int_equal(report.of_vcpus, all.of_vcpus - 100);
    assert_int_equal(report.dropped[METRICS_LIMIT], 100);
    assert_int_equal(count_lines(text, "vitals_user_series_dropped{"), 1);
    assert_contains(text, "vitals_user_series_dropped{uid=\"1\",reason=\"limit\"} 100\n");
    assert_contains(text, "_vcpu_things_total{vm=\"b\",vcpu=\"9\"} 1\n");
    assert_contains(text, "_vcpu_level{vm=\"c\",vcpu=\"19\"} 1\n");
    check_absent(text, "_vcpu_things_total{vm=\"a\"");
    form.series_max = 0;
    check_absent(written(metrics, &form, NULL), "vitals_user_series_dropped");
    metrics_free(metrics);
}

/* Who has more than its share lacks whole families, and others none. */
static void users_have_shares(void **state)
{
    (void)state;
    check_shares("p");
    check_shares("kvm");
}

/* What others leave of their shares is there for who wants more. */
static void nothing_is_left_of_shares(void **state)
{
    struct metrics *metrics = new_metrics();
    struct metrics_form form = openmetrics;
    struct metrics_report all, report;

    (void)state;
    add_vm_of(metrics, "a", 1, "p", &count, 100);
    for (uint32_t uid = 2; uid < 10; uid++)
        add_vm_of(metrics, "b", uid, "p", &count, uid);
    add_vm_of(metrics, "c", 10, "p", &gauge, 200);
    written(metrics, &form, &all);
    form.series_max = all.n_series - 100;
    written(metrics, &form, &report);
    assert_int_equal(report.dropped[METRICS_LIMIT], 200);
    metrics_free(metrics);
}

/* Of two descriptions of a name, it is that of more users, or of who came first. */
static void a_name_is_that_of_most_users(void **state)
{
    static const struct vitals_stat other = {
        .name = "things", .type = VITALS_CUMULATIVE, .unit = VITALS_NONE, .base = 10};
    static const struct vitals_stat liar = {
        .name = "things_total", .type = VITALS_CUMULATIVE, .base = 10};
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    add_vm_of(metrics, "liar", 1, "p", &liar, 3);
    add_vm_of(metrics, "a", 2, "p", &other, 1);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "p_vcpu_things_total{vm=\"liar\",vcpu=\"0\"} 1\n");
    assert_contains(text, "vitals_user_series_dropped{uid=\"2\",reason=\"name\"} 1\n");
    metrics_clear(metrics);
    for (size_t i = 0; i < 2; i++)
        add_vm_of(metrics, i ? "liar2" : "liar", 1, "p", &liar, 3);
    add_vm_of(metrics, "a", 2, "p", &other, 1);
    add_vm_of(metrics, "b", 3, "p", &other, 1);
    text = written(metrics, &openmetrics, NULL);
    assert_contains(text, "p_vcpu_things_total{vm=\"a\",vcpu=\"0\"} 1\n");
    assert_contains(text, "p_vcpu_things_total{vm=\"b\",vcpu=\"0\"} 1\n");
    assert_contains(text, "vitals_user_series_dropped{uid=\"1\",reason=\"name\"} 6\n");
    check_absent(text, "p_vcpu_things_total{vm=\"liar");
    metrics_free(metrics);
}

/* ---- many, and again ------------------------------------------------------------------------ */

struct pieces {
    size_t n, len, max;
};

static bool count_piece(void *opaque, const char *bytes, size_t len)
{
    struct pieces *pieces = opaque;

    assert_non_null(bytes);
    pieces->len += len;
    return ++pieces->n < pieces->max;
}

static void much_comes_in_pieces(void **state)
{
    static const uint64_t buckets[64];
    struct metrics *metrics = new_metrics();
    struct pieces pieces = {.max = SIZE_MAX};
    struct metrics_report report;

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        add_vm(metrics, "a", (int64_t)i);
        metrics_add_object(metrics, "vm", NULL, -1);
        metrics_add_value(metrics, "p", &log_ns, buckets, 64);
    }
    check_ok(metrics_write(metrics, &openmetrics,
                           &(struct metrics_sink){.put = count_piece, .opaque = &pieces}, &report));
    assert_true(pieces.n > 10);
    assert_int_equal(pieces.len, report.n_bytes);
    pieces = (struct pieces){.max = 3};
    check_error(metrics_write(metrics, &openmetrics,
                              &(struct metrics_sink){.put = count_piece, .opaque = &pieces}, NULL),
                EPIPE);
    assert_int_equal(pieces.n, 3);
    check_ok(metrics_write(metrics, &openmetrics, NULL, &report));
    metrics_free(metrics);
}

/* Behind what is there already. The second time it is known how long it becomes. */
static void a_whole_text(void **state)
{
    struct metrics *metrics = new_metrics();
    struct buf whole = {0};
    const struct metrics_sink sink = {.whole = &whole};
    struct metrics_report report;

    (void)state;
    add_example(metrics);
    add_kvm_histograms(metrics);
    for (int i = 0; i < 2; i++) {
        buf_reset(&whole);
        buf_puts(&whole, "before\n");
        check_ok(metrics_write(metrics, &openmetrics, &sink, &report));
        buf_append(&whole, "", 1);
        assert_string_equal(whole.data + strlen("before\n"), written(metrics, &openmetrics, NULL));
        assert_int_equal(whole.len, strlen("before\n") + report.n_bytes + 1);
    }
    buf_free(&whole);
    metrics_free(metrics);
}

static void nothing_stays_of_the_time_before(void **state)
{
    struct metrics *metrics = new_metrics();
    char *first;

    (void)state;
    add_example(metrics);
    first = strdup(written(metrics, &openmetrics, NULL));
    if (!first)
        abort();
    metrics_clear(metrics);
    add_kvm_histograms(metrics);
    check_absent(written(metrics, &openmetrics, NULL), "web1");
    metrics_clear(metrics);
    add_example(metrics);
    assert_string_equal(written(metrics, &openmetrics, NULL), first);
    assert_string_equal(written(metrics, &openmetrics, NULL), first);
    free(first);
    metrics_free(metrics);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static const struct vitals_stat of_rows[] = {
    {.name = "things", .type = VITALS_CUMULATIVE, .base = 10, .count = 1, .slot = 3},
    {.name = "wait_hist",
     .type = VITALS_LOG_HIST,
     .unit = VITALS_SECONDS,
     .base = 10,
     .exponent = -9,
     .count = 3,
     .slot = 0},
    {.name = "level", .type = VITALS_INSTANT, .base = 10, .count = 1, .slot = 4},
};
/* Another schema has the same statistics elsewhere, and one that can't be written. */
static const struct vitals_stat of_other_rows[] = {
    {.name = "level", .type = VITALS_INSTANT, .base = 10, .count = 1, .slot = 0},
    {.name = "odd", .type = VITALS_INSTANT, .base = 10, .exponent = 300, .count = 1, .slot = 2},
    {.name = "things", .type = VITALS_CUMULATIVE, .base = 10, .count = 1, .slot = 1},
};
static const uint64_t row[] = {1, 2, 3, UINT64_MAX, 9}, other_row[] = {10, 11, 12};

enum { ROW_STATS = sizeof(of_rows) / sizeof(of_rows[0]) };

typedef void (*add_row_fn)(struct metrics *metrics, const char *provider,
                           const struct vitals_stat *stats, size_t n_stats, const uint64_t *row);

static void add_each_value(struct metrics *metrics, const char *provider,
                           const struct vitals_stat *stats, size_t n_stats, const uint64_t *values)
{
    for (size_t i = 0; i < n_stats; i++)
        metrics_add_value(metrics, provider, &stats[i], values + stats[i].slot, stats[i].count);
}

/* Rows of one target in another one are of other families. */
static void add_rows(struct metrics *metrics, add_row_fn add_row)
{
    for (int i = 0; i < 3; i++) {
        add_vm(metrics, (const char *[]){"a", "b", "c"}[i], i);
        metrics_add_object(metrics, "vm", NULL, -1);
        add_row(metrics, "p", i == 2 ? of_rows : of_other_rows, ROW_STATS,
                i == 2 ? row : other_row);
        for (int j = 0; j < 2; j++) {
            metrics_add_object(metrics, "vcpu", j ? "/b" : "/a", j);
            add_row(metrics, "p", i == 1 ? of_other_rows : of_rows, ROW_STATS,
                    i == 1 ? other_row : row);
            add_row(metrics, "q", &of_rows[1], 1, row);
        }
    }
}

static void rows_are_values(void **state)
{
    struct metrics *by_value = new_metrics(), *by_row = new_metrics();
    struct metrics_report report;
    char *expected;

    (void)state;
    add_rows(by_value, add_each_value);
    expected = strdup(written(by_value, &openmetrics, &report));
    if (!expected)
        abort();
    assert_int_equal(report.dropped[METRICS_EXPONENT], 4);
    for (int i = 0; i < 2; i++) {
        metrics_clear(by_row);
        metrics_add_row(by_row, "p", of_rows, ROW_STATS, row); /* of no object */
        add_rows(by_row, metrics_add_row);
        assert_string_equal(written(by_row, &openmetrics, NULL), expected);
    }
    free(expected);
    metrics_free(by_value);
    metrics_free(by_row);
}

/* One of a row, and whatever else has its name. */
static bool wants_things(const void *opaque, const char *provider, const char *target,
                         const struct vitals_stat *stat)
{
    (void)opaque;
    (void)provider;
    (void)target;
    return !strcmp(stat->name, "things");
}

/* And of a VMM, whose own statistics are those of a schema of its own. */
static void add_rows_of_the_kernel(struct metrics *metrics, add_row_fn add_row)
{
    static struct vitals_stat of_own_rows[ROW_STATS];

    memcpy(of_own_rows, of_rows, sizeof(of_rows));
    for (int i = 0; i < 2; i++) {
        add_vm(metrics, i ? "a" : "b", i);
        metrics_add_object(metrics, "vcpu", "/a", 0);
        add_row(metrics, "sched", of_rows, ROW_STATS, row);
        add_row(metrics, "kvm", of_other_rows, ROW_STATS, other_row);
        add_row(metrics, "p", of_own_rows, ROW_STATS, row);
    }
}

static void what_is_not_wanted_is_left_out(void **state)
{
    static const add_row_fn ways[] = {metrics_add_row, add_each_value};
    struct metrics_form form = openmetrics;
    struct metrics *all = new_metrics(), *wanted = new_metrics();
    struct metrics_report report;
    char *expected;

    (void)state;
    form.wants = wants_things;
    add_rows_of_the_kernel(all, metrics_add_row);
    expected = strdup(written(all, &form, NULL));
    if (!expected)
        abort();
    for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
        metrics_clear(wanted);
        metrics_want(wanted, wants_things, NULL);
        add_rows_of_the_kernel(wanted, ways[i]);
        assert_string_equal(written(wanted, &form, NULL), expected);
        written(wanted, &openmetrics, &report);
        assert_int_equal(report.of_vcpus, 2 * (3 + 1 + 3)); /* things, and of "p" all others */
    }
    metrics_clear(wanted); /* all are wanted again */
    add_rows_of_the_kernel(wanted, metrics_add_row);
    assert_string_equal(written(wanted, &form, NULL), expected);
    written(wanted, &openmetrics, &report);
    assert_true(report.of_vcpus > 2 * (3 + 1 + 3));
    free(expected);
    metrics_free(all);
    metrics_free(wanted);
}

/* ---- memory that is not there --------------------------------------------------------------- */

static void add_all(struct metrics *metrics)
{
    add_example(metrics);
    add_kvm_histograms(metrics);
    add_rows(metrics, metrics_add_row);
}

/* Either it is said, or all is there. */
static bool tries_without_memory(long fail_at, const char *expected)
{
    struct buf out = {0};
    const struct metrics_sink sink = {.put = take, .opaque = &out};
    struct metrics *metrics;
    bool has_failed;
    int err = -ENOMEM;

    allocations.count = 0;
    allocations.fail_at = fail_at;
    metrics = metrics_new();
    if (metrics) {
        add_all(metrics);
        err = metrics_write(metrics, &openmetrics, &sink, NULL);
    }
    has_failed = allocations.count >= fail_at;
    allocations.fail_at = 0;
    metrics_free(metrics);
    buf_append(&out, "", 1);
    assert_true(err == 0 || err == -ENOMEM);
    if (err == 0 && !out.failed)
        assert_string_equal(out.data, expected);
    if (!has_failed)
        check_ok(err);
    buf_free(&out);
    return has_failed;
}

static void without_memory(void **state)
{
    struct metrics *metrics = new_metrics();
    char *expected;
    long fail_at = 1;

    (void)state;
    add_all(metrics);
    expected = strdup(written(metrics, &openmetrics, NULL));
    if (!expected)
        abort();
    metrics_free(metrics);
    while (tries_without_memory(fail_at, expected))
        fail_at++;
    assert_true(fail_at > 20);
    free(expected);
}

/* Sources that differ in what no label shows: sockets with odd bytes in their paths. */
static void sources_that_look_the_same_are_told_apart(void **state)
{
    struct metrics *metrics = new_metrics();
    const char *text;

    (void)state;
    for (int i = 0; i < 2; i++)
        metrics_add_vm(metrics, &(struct metrics_vm){
                                    .source = i ? "/a\x01" : "/a\x02", .pid = -1, .is_down = true});
    metrics_add_vm(metrics, &(struct metrics_vm){.name = "a\x01", .source = "kernel", .pid = -1});
    metrics_add_vm(metrics, &(struct metrics_vm){
                                .name = "a\x02", .source = "kernel", .pid = -1, .is_down = true});
    text = written(metrics, &openmetrics, NULL);
    assert_int_equal(count_lines(text, "vitals_source_up{vm=\"\",source=\"/a?\"} 0\n"), 1);
    assert_int_equal(count_lines(text, "vitals_source_up{vm=\"#2\",source=\"/a?\"} 0\n"), 1);
    assert_int_equal(count_lines(text, "vitals_source_up{vm=\"a?\",source=\"kernel\"} 1\n"), 1);
    assert_int_equal(count_lines(text, "vitals_source_up{vm=\"a?#2\",source=\"kernel\"} 0\n"), 1);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_that_look_the_same_are_told_apart),
        cmocka_unit_test(names_follow_from_the_schema),
        cmocka_unit_test(openmetrics_as_a_whole),
        cmocka_unit_test(the_older_text_format),
        cmocka_unit_test(families_are_not_torn),
        cmocka_unit_test(buckets_add_up),
        cmocka_unit_test(more_than_can_be_counted),
        cmocka_unit_test(bounds_that_are_none),
        cmocka_unit_test(sums_are_those_of_the_counter),
        cmocka_unit_test(many_names_are_little_work),
        cmocka_unit_test(thin_histograms_have_fewer_bounds),
        cmocka_unit_test(names_of_strangers),
        cmocka_unit_test(vms_that_share_a_name),
        cmocka_unit_test(sources_that_fail),
        cmocka_unit_test(vcpus_without_a_number),
        cmocka_unit_test(an_object_that_is_there_twice),
        cmocka_unit_test(names_that_clash),
        cmocka_unit_test(a_name_that_is_its_unit_and_one_that_has_none),
        cmocka_unit_test(a_name_that_clashes_and_comes_again),
        cmocka_unit_test(scales_that_are_none),
        cmocka_unit_test(scales_may_differ),
        cmocka_unit_test(no_more_series_than_wanted),
        cmocka_unit_test(the_kernels_statistics_stay),
        cmocka_unit_test(users_have_shares),
        cmocka_unit_test(nothing_is_left_of_shares),
        cmocka_unit_test(a_name_is_that_of_most_users),
        cmocka_unit_test(much_comes_in_pieces),
        cmocka_unit_test(a_whole_text),
        cmocka_unit_test(nothing_stays_of_the_time_before),
        cmocka_unit_test(rows_are_values),
        cmocka_unit_test(what_is_not_wanted_is_left_out),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests_name("OpenMetrics", tests, NULL, NULL);
}
