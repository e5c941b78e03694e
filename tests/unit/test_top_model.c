/* SPDX-License-Identifier: MIT */
/* `vitals top` without a terminal: what its keys do, and what its screen shows in any size. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "kvm/meanings.h"
#include "top/figure.h"
#include "top/screen.h"

static const struct client_stat vm_stats[] = {
    {.desc.name = "pages_4k",
     .provider = "kvm",
     .target = "vm",
     .desc.type = VITALS_INSTANT,
     .desc.base = 10},
};

enum { EXITS, MMIO, HALT_WAIT, GUEST_MODE, HIST, BLOCKING, VCPU_STATS };

static const struct client_stat vcpu_stats[VCPU_STATS] = {
    [EXITS] = {.desc.name = "exits", .provider = "kvm", .target = "vcpu", .desc.base = 10},
    [MMIO] = {.desc.name = "mmio_exits", .provider = "kvm", .target = "vcpu", .desc.base = 10},
    [HALT_WAIT] = {.desc.name = "halt_wait_ns",
                   .provider = "kvm",
                   .target = "vcpu",
                   .desc.unit = VITALS_SECONDS,
                   .desc.base = 10,
                   .desc.exponent = -9},
    [GUEST_MODE] = {.desc.name = "guest_mode",
                    .provider = "kvm",
                    .target = "vcpu",
                    .desc.type = VITALS_INSTANT,
                    .desc.base = 10},
    [BLOCKING] = {.desc.name = "blocking",
                  .provider = "kvm",
                  .target = "vcpu",
                  .desc.type = VITALS_INSTANT,
                  .desc.base = 10},
    [HIST] = {.desc.name = "halt_wait_hist",
              .provider = "kvm",
              .target = "vcpu",
              .desc.type = VITALS_LOG_HIST,
              .desc.unit = VITALS_SECONDS,
              .desc.base = 10,
              .desc.exponent = -9},
};

/* ---- samples -------------------------------------------------------------------------------- */

enum { VMS = 2, VCPUS = 3, BUCKETS = 32 };

/* The values of a VM's vCPUs; they go up by what each sample adds. */
struct fixture {
    struct model model;
    struct screen screen;
    uint64_t time_ns;
    uint64_t exits[VMS][VCPUS], mmio[VMS][VCPUS], wait[VMS][VCPUS];
    uint64_t buckets[VMS][VCPUS][BUCKETS];
    uint64_t blocking[VMS][VCPUS];
    struct client_status status;
    enum client_state states[VCPUS];
    size_t n_vcpus;
    bool is_reversed;
};

static void sample_vm(struct fixture *fixture, size_t vm)
{
    static char paths[VCPUS][16] = {"/vcpu0", "/vcpu1", "/vcpu2"};
    uint64_t pages = 7, zero = 0;
    struct client_value of_vm = {&vm_stats[0], &pages, 1}, values[VCPUS][VCPU_STATS];
    struct client_object vm_object = {
        .target = "vm", .cpu_index = -1, .values = &of_vm, .n_values = 1};
    struct client_object vcpus[VCPUS];
    struct client_snapshot vm_snapshot = {&vm_object, 1, fixture->time_ns, false};
    struct client_snapshot vcpu_snapshot = {vcpus, fixture->n_vcpus, fixture->time_ns,
                                            fixture->is_reversed};

    for (size_t i = 0; i < VCPUS; i++) {
        const struct client_value all[VCPU_STATS] = {
            {&vcpu_stats[EXITS], &fixture->exits[vm][i], 1},
            {&vcpu_stats[MMIO], &fixture->mmio[vm][i], 1},
            {&vcpu_stats[HALT_WAIT], &fixture->wait[vm][i], 1},
            {&vcpu_stats[GUEST_MODE], &zero, 1},
            {&vcpu_stats[HIST], fixture->buckets[vm][i], BUCKETS},
            {&vcpu_stats[BLOCKING], &fixture->blocking[vm][i], 1},
        };

        memcpy(values[i], all, sizeof(all));
        vcpus[i] = (struct client_object){"vcpu",    paths[i],   (int64_t)i, fixture->states[i],
                                          values[i], VCPU_STATS, 0};
    }
    model_take(&fixture->model, vm,
               &(struct sample){&vm_snapshot, &vcpu_snapshot, NULL, fixture->status}, 1e9);
    model_arrange(&fixture->model);
}

static void take_vcpus(struct fixture *fixture, size_t vm, struct client_snapshot *of_vcpus)
{
    model_take(&fixture->model, vm, &(struct sample){.of_vcpus = of_vcpus}, 1e9);
    model_arrange(&fixture->model);
}

/* Two seconds later: "idle" has 10 exits per second and vCPU, "busy" has 100, 200 and 300. */
static void sample(struct fixture *fixture)
{
    fixture->time_ns += 2000000000;
    for (size_t i = 0; i < VCPUS; i++) {
        fixture->exits[0][i] += 20;
        fixture->exits[1][i] += 200 * (i + 1);
        fixture->mmio[1][i] += 30;
        fixture->wait[0][i] += 1000000000;
        fixture->buckets[1][i][21] += 90; /* 1.049 ms - 2.097 ms */
        fixture->buckets[1][i][25] += 10;
    }
    for (size_t i = 0; i < VMS; i++)
        if (!fixture->model.vms[i]->error)
            sample_vm(fixture, i);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    setlocale(LC_CTYPE, "C.UTF-8");
    assert_non_null(fixture);
    fixture->n_vcpus = VCPUS;
    assert_true(model_init(&fixture->model, 1));
    assert_true(model_name_vm(&fixture->model, 0, "idle", "/idle.sock"));
    assert_true(model_name_vm(&fixture->model, 1, "busy", "/busy.sock"));
    sample(fixture);
    sample(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    assert_false(fixture->model.has_failed);
    model_free(&fixture->model);
    screen_free(&fixture->screen);
    free(fixture);
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* What has come is in the list before a key is pressed, or anything is drawn. */
static void press(struct fixture *fixture, const char *keys)
{
    model_arrange(&fixture->model);
    for (; *keys; keys++)
        model_press(&fixture->model, *keys);
}

static char text[65536];

/* All of the screen, with a line feed behind each line. */
static const char *draw(struct fixture *fixture, size_t width, size_t height)
{
    struct buf out = {0};

    model_arrange(&fixture->model);
    assert_true(screen_resize(&fixture->screen, width, height));
    screen_draw(&fixture->screen, &fixture->model);
    for (size_t i = 0; i < height; i++) {
        screen_line(&fixture->screen, i, &out);
        buf_puts(&out, "\n");
    }
    assert_true(out.len < sizeof(text));
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    buf_free(&out);
    return text;
}

/* Whether one stands before the other. */
static void check_order(const char *shown, const char *first, const char *second)
{
    assert_contains(shown, first);
    assert_contains(shown, second);
    assert_true(strstr(shown, first) < strstr(shown, second));
}

static void check_absent(const char *shown, const char *part)
{
    if (strstr(shown, part))
        fail_msg("'%s' is in '%s'", part, shown);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_vms_with_the_most_exits_first(void **state)
{
    check_order(draw(*state, 80, 24), "busy", "idle");
    assert_contains(text, "2 VMs, every 1 s, rates");
    assert_contains(text, " 600 ");
    assert_contains(text, " 50%");
    assert_contains(text, "mmio_exits 15/s, vcpu 0");
}

/* VM, IDLE, EXITS, IO+MMIO, VCPUS and BUSIEST. */
enum { SORTED_COLUMNS = 6 };

static void test_sorting(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "R");
    check_order(draw(fixture, 80, 24), "\nidle", "\nbusy");
    press(fixture, "R<<"); /* by name */
    check_order(draw(fixture, 80, 24), "\nbusy", "\nidle");
    press(fixture, ">"); /* by idle: of what stands before it the VMs have nothing */
    check_order(draw(fixture, 80, 24), "\nidle", "\nbusy");
    for (size_t i = 0; i < SORTED_COLUMNS; i++) {
        press(fixture, "o");
        assert_contains(draw(fixture, 200, 24), "all 2 VMs");
    }
    check_order(draw(fixture, 80, 24), "\nidle", "\nbusy");
}

static void test_drilling_down_and_back(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\n");
    assert_contains(draw(fixture, 80, 24), "VMs > busy\n");
    check_order(text, "vcpu 0", "vcpu 2");
    press(fixture, "jjjx");
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 2\n");
    assert_contains(text, "300/s");
    press(fixture, "\033");
    assert_string_equal(model_selected(&fixture->model)->object->path, "/vcpu2");
    press(fixture, "\b\b\b\b");
    assert_int_equal(fixture->model.level, MODEL_VMS);
}

/* What it means, what to do, and what it was since it is looked at. */
static void test_a_counter(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n\n");
    assert_int_equal(fixture->model.level, MODEL_HISTORY);
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 0 > exits\n");
    assert_contains(text, "Times that the vCPU left the guest's code for KVM.");
    assert_contains(text, "\n  High:     Bad at a high rate");
    assert_contains(text, "\n  Do:       'perf kvm stat live'");
    assert_contains(text, "         100/s           400  ####");
    fixture->exits[1][0] += 100; /* beside the 200 of each sample */
    sample(fixture);
    check_order(draw(fixture, 80, 24), "         150/s           700  ####",
                "         100/s           400  ####");
    press(fixture, "o");
    assert_contains(draw(fixture, 80, 24), "samples have their own order");
    press(fixture, "\033");
    assert_int_equal(fixture->model.level, MODEL_STATS);
    press(fixture, "\n"); /* begins anew */
    check_absent(draw(fixture, 80, 24), "100/s");
}

static void test_a_value_that_does_not_count(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n/guest_mode\n\n");
    assert_contains(draw(fixture, 80, 24), "TIME             VALUE\n");
    assert_contains(text, "  Type:     instant");
}

/* More samples than are kept, on a screen of any size. */
static void test_a_long_history(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n\n");
    for (size_t i = 0; i < MODEL_MOMENTS + 10; i++)
        sample(fixture);
    assert_int_equal(fixture->model.n_items, MODEL_MOMENTS);
    assert_contains(draw(fixture, 80, 8), "100/s");
    model_press(&fixture->model, MODEL_KEY_END);
    assert_contains(draw(fixture, 80, 24), "          2600  ####"); /* 13 samples */
}

static void test_a_histogram(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n/hist\n\n");
    assert_contains(draw(fixture, 80, 24), "> halt_wait_hist");
    assert_contains(text, "1.049 ms - 2.097 ms          90   90.0%  p50 p90      ####");
    assert_contains(text, "16.78 ms - 33.55 ms          10   10.0%  p99       ");
    press(fixture, "t");
    assert_contains(draw(fixture, 80, 24), " 180 ");
    fixture->screen.is_unicode = true;
    assert_contains(draw(fixture, 80, 24), "\u2588\u2588");
}

/* What it says instead of bars stands behind them, or not at all. */
static void test_a_histogram_without_values(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n/hist\n\n");
    fixture->time_ns += 2000000000;
    sample_vm(fixture, 1);
    assert_contains(draw(fixture, 80, 24), "nothing counted in this interval");
    press(fixture, "s");
    assert_contains(draw(fixture, 80, 9), "\nInterval in seconds: _\n");
}

static void test_filters(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "/us\n");
    check_absent(draw(fixture, 80, 24), "idle");
    press(fixture, "f\025i*e\n");
    check_absent(draw(fixture, 80, 24), "busy");
    press(fixture, "f\025nothing\n");
    assert_contains(draw(fixture, 80, 24), "nothing matches the filter");
    press(fixture, "\n"); /* there is nothing to drill into */
    press(fixture, "c");
    check_order(draw(fixture, 80, 24), "busy", "idle");
    press(fixture, "/\025a?d\n");
    assert_contains(draw(fixture, 80, 24),
                    "nothing matches the filter"); /* a glob is for all of it */
    press(fixture, "c");
    press(fixture, "/abc\033"); /* thought better of it */
    assert_string_equal(fixture->model.cursors[MODEL_VMS].filter, "");
}

/* A word is a name; where there is no such name, a part of names. */
static void test_a_filter_by_a_name(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n/exits\n");
    assert_int_equal(fixture->model.n_items, 1);
    check_absent(draw(fixture, 80, 24), "mmio_exits");
    press(fixture, "/\025exit\n");
    assert_int_equal(fixture->model.n_items, 2);
    assert_contains(draw(fixture, 80, 24), "mmio_exits");
}

static void test_totals_and_the_baseline(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\nt");
    assert_contains(draw(fixture, 80, 24), " 400 ");
    press(fixture, "r");
    check_absent(draw(fixture, 80, 24), " 400 ");
    sample(fixture);
    assert_contains(draw(fixture, 80, 24), " 200 ");
    assert_contains(text, "totals since ");
}

static void check_total(const struct fixture *fixture, size_t vcpu, uint64_t exits)
{
    const struct series_object *object = fixture->model.vms[1]->values.objects[1 + vcpu];

    assert_int_equal(object->vcpu, vcpu);
    assert_int_equal(model_total(&fixture->model, object->series[EXITS], 0), exits);
}

/* It had 600 exits per sample before, and also while it was not there. */
static void test_a_vcpu_that_was_missing_has_a_baseline(void **state)
{
    struct fixture *fixture = *state;

    check_total(fixture, 2, 2 * 600);
    press(fixture, "r");
    fixture->n_vcpus = VCPUS - 1;
    sample(fixture);
    fixture->n_vcpus = VCPUS;
    sample(fixture);
    check_total(fixture, 2, 0);
    check_total(fixture, 1, 2 * 400);
    sample(fixture);
    check_total(fixture, 2, 600);
}

static void test_zeros(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n");
    assert_contains(draw(fixture, 80, 24), "guest_mode");
    press(fixture, "z");
    check_absent(draw(fixture, 80, 24), "guest_mode");
    assert_contains(text, "without zeros");
}

static void test_a_reset_is_no_negative_rate(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n");
    fixture->exits[1][0] = 0;
    fixture->time_ns += 2000000000;
    sample_vm(fixture, 1);
    assert_contains(draw(fixture, 80, 24), "reset");
    check_absent(text, "-200");
    sample(fixture);
    check_absent(draw(fixture, 80, 24), " reset ");
    assert_contains(text, "100/s");
}

static void test_pausing(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, " ");
    assert_contains(draw(fixture, 80, 24), "PAUSED");
    press(fixture, "p");
    check_absent(draw(fixture, 80, 24), "PAUSED");
}

static void test_the_interval(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "s0.25\n");
    assert_true(fixture->model.interval == 0.25);
    press(fixture, "s0\n");
    assert_contains(draw(fixture, 80, 24), "no number of seconds");
    press(fixture, "snan\ns\n");
    assert_true(fixture->model.interval == 0.25);
    press(fixture, "s12\b\b3\n");
    assert_true(fixture->model.interval == 3);
}

static void test_the_selected_line_is_followed(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "j");
    assert_string_equal(model_selected(&fixture->model)->vm->name, "idle");
    press(fixture, "R");
    assert_string_equal(model_selected(&fixture->model)->vm->name, "idle");
    assert_int_equal(fixture->model.cursors[MODEL_VMS].index, 0);
}

/* The reason is cut, not the time. */
static void test_trouble_has_room(void **state)
{
    struct fixture *fixture = *state;
    struct model_vm *vm = fixture->model.vms[1];
    char trouble[MODEL_TROUBLE_MAX];

    setenv("TZ", "UTC", 1);
    assert_false(model_trouble(trouble, vm, 40));
    model_await(&fixture->model, 1, 2.4);
    assert_true(model_trouble(trouble, vm, 40));
    assert_string_equal(trouble, "no answer for 2 s");
    model_lose(&fixture->model, 1, "a reason of 22 letters", 0);
    assert_true(model_trouble(trouble, vm, 38));
    assert_string_equal(trouble, "a reason of 22 letters, since 00:00:00");
    assert_true(model_trouble(trouble, vm, 37));
    assert_string_equal(trouble, "a reason of 22 lette…, since 00:00:00");
}

static void test_vms_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    char trouble[MODEL_TROUBLE_MAX];

    press(fixture, "g\025busy\n\n\n");
    assert_true(fixture->model.level > MODEL_VMS);
    assert_true(model_name_vm(&fixture->model, 4, "late", "/late.sock"));
    assert_int_equal(model_count_vms(&fixture->model), VMS + 1);
    assert_true(model_trouble(trouble, fixture->model.vms[4], 40));
    assert_string_equal(trouble, "no answer yet");
    model_drop_vm(&fixture->model, 1);
    assert_int_equal(fixture->model.level, MODEL_VMS);
    assert_int_equal(model_count_vms(&fixture->model), VMS);
    press(fixture, "c"); /* the filter of the list */
    assert_contains(draw(fixture, 80, 24), "2 VMs");
    check_absent(text, "busy");
    assert_contains(text, "late");
    model_drop_vm(&fixture->model, 4);
    model_drop_vm(&fixture->model, 0);
    draw(fixture, 80, 24);
}

static void test_a_vm_that_is_gone(void **state)
{
    struct fixture *fixture = *state;

    setenv("TZ", "UTC", 1);
    model_lose(&fixture->model, 1, "closed", 3600);
    assert_contains(draw(fixture, 80, 24), "closed, since 01:00:00");
    assert_contains(text, "1 gone");
    sample(fixture);
    press(fixture, "g\025busy\n\n"); /* its last values can still be looked at */
    assert_contains(draw(fixture, 80, 24), "VMs > busy");
    model_lose(&fixture->model, 0, "/idle.sock: closed", 0);
    assert_contains(draw(fixture, 80, 24), "all VMs are gone");
}

/* The descriptions of a VM that is back are others, also where they say the same. */
static struct client_stat other_stats[VCPU_STATS];

static const struct client_stat *other_stat(size_t i)
{
    other_stats[i] = vcpu_stats[i];
    return &other_stats[i];
}

/* "busy" has only vCPU 0 now, which has counted @exits and some halts in its histogram. */
static void take_busy(struct fixture *fixture, uint64_t exits)
{
    uint64_t buckets[BUCKETS] = {[21] = 5};
    struct client_value values[] = {
        {other_stat(HIST), buckets, BUCKETS},
        {other_stat(EXITS), &exits, 1},
    };
    struct client_object vcpu = {"vcpu", "/vcpu0",           0, CLIENT_UNKNOWN,
                                 values, N_ELEMENTS(values), 0};

    fixture->time_ns += 2000000000;
    take_vcpus(fixture, 1, &(struct client_snapshot){&vcpu, 1, fixture->time_ns, false});
}

static void return_busy(struct fixture *fixture, const char *name, uint64_t exits)
{
    model_return(&fixture->model, 1, name);
    take_busy(fixture, exits);
}

static const struct series *series_of_busy(const struct fixture *fixture, const char *name)
{
    const struct series_object *vcpu = fixture->model.vms[1]->values.objects[0];

    for (size_t i = 0; i < vcpu->n_series; i++)
        if (!strcmp(vcpu->series[i]->stat->name, name))
            return vcpu->series[i];
    fail_msg("no %s", name);
    return NULL;
}

static void test_a_vm_that_is_back(void **state)
{
    struct fixture *fixture = *state;

    model_lose(&fixture->model, 1, "/busy.sock: closed", 0);
    return_busy(fixture, "busier", 50);
    assert_int_equal(model_count_gone(&fixture->model), 0);
    check_absent(draw(fixture, 80, 24), "gone");
    assert_contains(text, "busier         1     -        -");
    assert_int_equal(fixture->model.vms[1]->values.n_objects, 1);
    assert_int_equal(fixture->model.vms[1]->values.objects[0]->n_series, 2);
    assert_ptr_equal(series_of_busy(fixture, "exits")->stat, &other_stats[EXITS].desc);
    press(fixture, "t"); /* there are totals at once */
    assert_contains(draw(fixture, 80, 24), "busier         1     -       50");
}

/* What a peer's histograms look like is learnt: what came the other way round is no sample before. */
static void test_no_rate_of_a_histogram_that_was_turned(void **state)
{
    struct fixture *fixture = *state;
    const struct series *hist = fixture->model.vms[1]->values.objects[1]->series[HIST];
    const struct series *exits = fixture->model.vms[1]->values.objects[1]->series[EXITS];

    assert_true(hist->has_deltas);
    press(fixture, "r");
    fixture->is_reversed = true;
    sample(fixture);
    assert_false(hist->has_deltas || hist->is_reset);
    assert_true(exits->has_deltas);
    assert_int_equal(model_total(&fixture->model, hist, 21), 0);
    sample(fixture);
    assert_true(hist->has_deltas);
    assert_int_equal(model_total(&fixture->model, hist, 21), 90);
}

/* It has counted more than before, or less: neither says how fast. */
static void test_no_rate_across_a_gap(void **state)
{
    static const uint64_t exits[] = {1, 1000000};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(exits); i++) {
        const struct series *series;

        model_lose(&fixture->model, 1, "closed", 0);
        return_busy(fixture, "busy", exits[i]);
        series = series_of_busy(fixture, "exits");
        assert_false(series->has_deltas || series->is_reset);
        assert_int_equal(series->totals[0], exits[i]);
    }
}

/* From its second sample on there are rates again. */
static void test_rates_after_a_gap(void **state)
{
    struct fixture *fixture = *state;

    model_lose(&fixture->model, 1, "closed", 0);
    return_busy(fixture, "busy", 50);
    take_busy(fixture, 250);
    assert_contains(draw(fixture, 80, 24), "busy           1     -      100");
}

static void test_the_baseline_begins_anew(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "rt");
    for (uint64_t exits = 10; exits <= 1000010; exits += 1000000) { /* fewer, and more */
        model_lose(&fixture->model, 1, "closed", 0);
        return_busy(fixture, "busy", exits);
        assert_int_equal(model_total(&fixture->model, series_of_busy(fixture, "exits"), 0), 0);
        assert_contains(draw(fixture, 80, 24), "busy           1     -        0");
    }
}

static void test_a_vm_that_is_back_while_it_is_looked_at(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n/hist\n\nt");
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 0 > halt_wait_hist");
    model_lose(&fixture->model, 1, "closed", 0);
    return_busy(fixture, "other", 50);
    assert_contains(draw(fixture, 80, 24), "VMs > other > vcpu 0 > halt_wait_hist");
    assert_contains(text, "           5  100.0%");
    press(fixture, "\033\033j\n"); /* there is no line below */
    assert_contains(draw(fixture, 80, 24), "VMs > other > vcpu 0");
}

/* Its vCPU 2 is not there any more, and neither is the statistic. */
static void test_what_a_vm_that_is_back_has_no_more(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\njjj\n/hist\n\n");
    model_lose(&fixture->model, 1, "closed", 0);
    return_busy(fixture, "busy", 50);
    assert_contains(draw(fixture, 80, 24), "VMs > busy\n");
    press(fixture, "\n");
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 0");
}

static void test_a_vcpu_that_goes_while_it_is_looked_at(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\njjj\n/hist\n\n");
    assert_int_equal(fixture->model.level, MODEL_BUCKETS);
    fixture->n_vcpus = VCPUS - 1;
    sample(fixture);
    assert_int_equal(fixture->model.level, MODEL_OBJECTS);
    check_absent(draw(fixture, 80, 24), "vcpu 2");
}

/* What is typed goes on being a filter of statistics: its letters are no keys, nor of vCPUs. */
static void test_a_vcpu_that_goes_while_a_filter_is_typed(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\njjj\n/exits_r");
    fixture->n_vcpus = VCPUS - 1;
    sample(fixture);
    assert_int_equal(fixture->model.level, MODEL_OBJECTS);
    assert_contains(draw(fixture, 80, 24), "\nFilter: exits_r_\n");
    press(fixture, "eq\n");
    assert_false(fixture->model.is_done);
    assert_string_equal(fixture->model.cursors[MODEL_OBJECTS].filter, "");
    assert_string_equal(fixture->model.cursors[MODEL_STATS].filter, "exits_req");
    assert_contains(draw(fixture, 80, 24), "vcpu 1");
}

static void test_names_do_nothing_to_a_terminal(void **state)
{
    struct fixture *fixture = *state;

    model_return(&fixture->model, 0, "a\033[2J\377\u4e2db");
    model_arrange(&fixture->model);
    assert_contains(draw(fixture, 80, 24), "a?[2J?\u4e2db");
    check_absent(text, "\033");
}

static void press_everything(struct fixture *fixture, size_t width, size_t height)
{
    static const char keys[] = "jkoRtzrp \n<>jxh?\nfa\nc\033s1\ng\n\njj\n/hist\n\ntjj\b\b\b\b";

    for (size_t i = 0; keys[i]; i++) {
        model_press(&fixture->model, keys[i]);
        draw(fixture, width, height);
        for (int key = MODEL_KEY_UP; key <= MODEL_KEY_NONE; key++) {
            if (key != MODEL_KEY_LEFT && key != MODEL_KEY_RIGHT)
                model_press(&fixture->model, key);
            draw(fixture, width, height);
        }
    }
}

static void test_sizes(void **state)
{
    static const size_t sizes[][2] = {{80, 24}, {200, 50}, {20, 5}, {1, 1}, {7, 2}, {3, 3}, {9, 4}};

    for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
        press_everything(*state, sizes[i][0], sizes[i][1]);
    screen_resize(&((struct fixture *)*state)->screen, 0, 0);
    screen_draw(&((struct fixture *)*state)->screen, &((struct fixture *)*state)->model);
}

static void test_a_wide_screen_shows_more(void **state)
{
    struct fixture *fixture = *state;

    assert_contains(draw(fixture, 200, 50), "BUSIEST");
    check_absent(draw(fixture, 40, 24), "BUSIEST");
    press(fixture, "\nj\n");
    assert_contains(draw(fixture, 200, 50), "p50 <2.1ms p90 <2.1ms  p99 <34ms\n");
    assert_contains(draw(fixture, 80, 24), "p50 <2.1ms p90 <2.1ms");
}

static void test_a_low_screen_scrolls(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\nj\n");
    check_absent(draw(fixture, 40, 5), "guest_mode");
    model_press(&fixture->model, MODEL_KEY_END);
    assert_contains(draw(fixture, 40, 5), "guest_mode");
    check_absent(text, "exits");
}

/* ---- columns -------------------------------------------------------------------------------- */

static void name_vm(struct fixture *fixture, size_t vm, const char *name)
{
    model_return(&fixture->model, vm, name);
    sample_vm(fixture, vm);
    sample(fixture);
}

/* A name loses its middle, and only where there is no room. */
static void test_names_differ_at_their_ends(void **state)
{
    struct fixture *fixture = *state;

    name_vm(fixture, 0, "instance-000003e8");
    name_vm(fixture, 1, "instance-000003e9");
    assert_contains(draw(fixture, 80, 24), "\ninstance-000003e8 ");
    assert_contains(text, "\ninstance-000003e9 ");
    assert_contains(draw(fixture, 40, 24), "\ninsta~003e8 ");
    assert_contains(text, "\ninsta~003e9 ");
    fixture->screen.is_unicode = true;
    assert_contains(draw(fixture, 40, 24), "\ninsta\u2026003e8 ");
}

/* Their column goes; what is shown is the whole number. */
static void test_numbers_are_never_cut(void **state)
{
    struct fixture *fixture = *state;

    fixture->exits[1][0] = 373110700;
    press(fixture, "t");
    sample(fixture);
    for (size_t width = 1; width < 120; width++) {
        const char *shown = draw(fixture, width, 24), *found = strstr(shown, "37311");

        if (!found && width < 30)
            continue;
        assert_non_null(found);
        assert_int_equal(strspn(found, "0123456789"), 9);
    }
    press(fixture, "\nj\n");
    for (size_t width = 1; width < 120; width++) {
        const char *found = strstr(draw(fixture, width, 24), "37311");

        if (found)
            assert_int_equal(strspn(found, "0123456789"), 9);
        else
            assert_true(width < 20);
    }
}

static void test_vms_of_one_name(void **state)
{
    struct fixture *fixture = *state;

    name_vm(fixture, 0, "busy");
    assert_contains(draw(fixture, 80, 24), "\nbusy /idle.sock  ");
    assert_contains(text, "\nbusy /busy.sock  ");
    press(fixture, "\n");
    assert_contains(draw(fixture, 80, 24), "VMs > busy /busy.sock\n");
    press(fixture, "\033/busy\n");
    assert_int_equal(fixture->model.n_items, 2);
    name_vm(fixture, 0, "idle"); /* alone again */
    assert_contains(draw(fixture, 80, 24), "\nbusy  ");
}

static void test_all_vcpus(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "v");
    assert_contains(draw(fixture, 80, 24), "VMs > all vCPUs\n");
    check_order(text, "\nbusy  vcpu 2 ", "\nbusy  vcpu 1 ");
    check_order(text, "\nbusy  vcpu 0 ", "\nidle  vcpu 0 ");
    assert_contains(text, "\nall   6 vCPUs   25%      630 ");
    press(fixture, "j\n");
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 1\n");
    press(fixture, "\033");
    assert_int_equal(fixture->model.level, MODEL_VCPUS);
    assert_string_equal(model_selected(&fixture->model)->object->path, "/vcpu1");
    press(fixture, "/idle\n");
    assert_int_equal(fixture->model.n_items, VCPUS);
    press(fixture, "/\025vcpu 1\n");
    assert_int_equal(fixture->model.n_items, VMS);
    press(fixture, "v");
    assert_int_equal(fixture->model.level, MODEL_VMS);
}

/* One that is looked at by the list of all goes back to it when it is gone. */
static void test_a_vcpu_of_all_that_goes(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "v\n");
    assert_contains(draw(fixture, 80, 24), "VMs > busy > vcpu 2\n");
    fixture->n_vcpus = VCPUS - 1;
    sample(fixture);
    assert_contains(draw(fixture, 80, 24), "VMs > all vCPUs\n");
}

static void test_the_line_for_all(void **state)
{
    struct fixture *fixture = *state;

    assert_contains(draw(fixture, 80, 24), "\nall 2 VMs      6   25%      630         45\n");
    press(fixture, "/busy\n");
    check_absent(draw(fixture, 80, 24), "\nall "); /* it is the only one */
    press(fixture, "c");
    model_lose(&fixture->model, 1, "closed", 0);
    assert_contains(draw(fixture, 80, 24), "\nall 2 VMs      3   50%       30 ");
}

static void test_sorting_by_what_is_hidden(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, ">"); /* IO+MMIO */
    check_absent(draw(fixture, 80, 24), ", by ");
    fixture->exits[1][0] = 1000000000000000000; /* so that there is no room */
    sample_vm(fixture, 1);
    press(fixture, "t");
    assert_contains(draw(fixture, 40, 24), "vitals top: 2 VMs, by IO+MMIO, ");
}

static const struct client_stat sched_stats[] = {
    {.desc = {.name = "run_ns", .unit = VITALS_SECONDS, .base = 10, .exponent = -9},
     .provider = "sched",
     .target = "vcpu"},
    {.desc = {.name = "steal_ns", .unit = VITALS_SECONDS, .base = 10, .exponent = -9},
     .provider = "sched",
     .target = "vcpu"},
    {.desc = {.name = "last_cpu", .type = VITALS_INSTANT, .base = 10},
     .provider = "sched",
     .target = "vcpu"},
    {.desc = {.name = "halt_poll_success_ns", .unit = VITALS_SECONDS, .base = 10, .exponent = -9},
     .provider = "kvm",
     .target = "vcpu"},
    {.desc = {.name = "halt_poll_fail_ns", .unit = VITALS_SECONDS, .base = 10, .exponent = -9},
     .provider = "kvm",
     .target = "vcpu"},
    {.desc = {.name = "throttled_ns", .unit = VITALS_SECONDS, .base = 10, .exponent = -9},
     .provider = "sched",
     .target = "vm"},
};

/* vCPU 0 runs half of the time and waits a quarter, vCPU 1 does neither; a tenth is throttled. */
static void take_sched(struct fixture *fixture, uint64_t seconds)
{
    enum { VM_STAT = N_ELEMENTS(sched_stats) - 1 };
    uint64_t ns = seconds * 1000000000, zero = 0, cpu = 5;
    uint64_t run = ns / 2, steal = ns / 4, poll = ns / 100, fail = ns / 50, throttled = ns / 10;
    uint64_t *all[] = {&run, &steal, &cpu, &poll, &fail};
    struct client_value values[2][VM_STAT], of_vm = {&sched_stats[VM_STAT], &throttled, 1};
    struct client_object vm = {.target = "vm", .cpu_index = -1, .values = &of_vm, .n_values = 1};
    struct client_object vcpus[] = {{"vcpu", "/vcpu0", 0, CLIENT_UNKNOWN, values[0], VM_STAT, 4711},
                                    {"vcpu", "/vcpu1", 1, CLIENT_UNKNOWN, values[1], VM_STAT, 0}};

    for (size_t i = 0; i < VM_STAT; i++) {
        values[0][i] = (struct client_value){&sched_stats[i], all[i], 1};
        values[1][i] = (struct client_value){&sched_stats[i], i == 2 ? &cpu : &zero, 1};
    }
    model_take(&fixture->model, 0,
               &(struct sample){&(struct client_snapshot){&vm, 1, ns, false},
                                &(struct client_snapshot){vcpus, 2, ns, false},
                                NULL,
                                {0}},
               1e9);
}

static void test_columns_of_the_host(void **state)
{
    struct fixture *fixture = *state;

    check_absent(draw(fixture, 200, 24), "STEAL");
    take_sched(fixture, 1);
    take_sched(fixture, 2);
    check_order(draw(fixture, 120, 24), "CPU  STEAL  THROTTLED  POLL  IDLE  EXITS/s",
                "\nidle           2   25%    12%        10%    2%     -        - ");
    press(fixture, "/idle\n\n");
    assert_contains(draw(fixture, 120, 24), "\nvm         -      -        10%     - ");
    assert_contains(text, "\nvcpu 0   50%    25%          -    3% ");
    assert_contains(text, "LAST CPU  THREAD\n");
    assert_contains(text, "  5    4711\n");
    assert_contains(text, "  5       -\n");
    press(fixture, "v>>>"); /* there is nothing of the VM among vCPUs */
    check_absent(draw(fixture, 120, 24), "THROTTLED");
}

/* What makes a vCPU leave the guest, and not what it counts most of. */
static void test_the_busiest_is_a_cause(void **state)
{
    static const char *const causes[] = {
        "io_exits",   "mmio_exits", "halt_exits",     "irq_exits",     "signal_exits",
        "hypercalls", "pf_taken",   "mmio_exit_user", "wfi_exit_stat", "hvc_exit_stat"};
    static const char *const others[] = {
        "exits", "sum_exits", "insn_emulation", "req_event", "halt_wakeup", "_exits", ""};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(causes); i++)
        assert_true(kvm_is_cause_of_exits(causes[i]));
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_false(kvm_is_cause_of_exits(others[i]));
}

enum { MANY = 5000 };

/* Each has counted 10 more than the one before it. */
static void take_many(struct fixture *fixture, size_t n)
{
    static struct client_object vcpus[MANY];
    static struct client_value values[MANY];
    static uint64_t exits[MANY];
    static char paths[MANY][16];

    fixture->time_ns += 1000000000;
    for (size_t i = 0; i < n; i++) {
        exits[i] = exits[i] ? exits[i] + 10 * i : 1;
        values[i] = (struct client_value){&vcpu_stats[EXITS], &exits[i], 1};
        snprintf(paths[i], sizeof(paths[i]), "/many%zu", i);
        vcpus[i] =
            (struct client_object){"vcpu", paths[i], (int64_t)i, CLIENT_UNKNOWN, &values[i], 1, 0};
    }
    take_vcpus(fixture, 1, &(struct client_snapshot){vcpus, n, fixture->time_ns, false});
}

static void test_thousands_of_vcpus(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "\n>>"); /* by exits */
    take_many(fixture, MANY);
    take_many(fixture, MANY);
    assert_int_equal(fixture->model.n_items, MANY);
    check_order(draw(fixture, 80, 24), "vcpu 4999    49990\n", "vcpu 4998    49980\n");
    model_press(&fixture->model, MODEL_KEY_END);
    check_order(draw(fixture, 80, 24), "vcpu 1  ", "vcpu 0  ");
    take_many(fixture, 1);
    assert_contains(draw(fixture, 80, 24), "vcpu 0  ");
    assert_int_equal(fixture->model.n_items, 1);
}

/* ---- what does not run ---------------------------------------------------------------------- */

/* Of the VM "idle", or of a vCPU of it. A value below 0: there is none. */
static double idle_of(struct fixture *fixture, const struct series_object *object,
                      enum series_since since)
{
    size_t idle = (size_t)figure_of_stat("kvm", "vcpu", "halt_wait_ns");
    struct figure_value values[FIGURES_MAX] = {0};

    figures_add(values, &fixture->model.vms[0]->values, object, since);
    return values[idle].n ? figure_number(idle, since, &values[idle]) : -1;
}

static void test_a_paused_vm_is_not_idle(void **state)
{
    struct fixture *fixture = *state;
    struct series_vm *values = &fixture->model.vms[0]->values;

    sample(fixture);
    sample(fixture);
    assert_true(idle_of(fixture, NULL, SERIES_SAMPLE) >= 0);
    assert_null(figure_state(values, NULL));
    fixture->status = (struct client_status){CLIENT_PAUSED, "io-error"};
    sample(fixture);
    assert_true(idle_of(fixture, NULL, SERIES_SAMPLE) < 0);
    assert_true(idle_of(fixture, values->objects[1], SERIES_SAMPLE) < 0);
    assert_string_equal(figure_state(values, NULL), "io-error");
    assert_contains(draw(fixture, 120, 24), "io-error");
    fixture->status = (struct client_status){CLIENT_RUNNING, "running"};
    sample(fixture);
    assert_true(idle_of(fixture, NULL, SERIES_SAMPLE) >= 0);
}

/* No vCPU has an exit, whoever calls it paused: it never ran. */
static void test_a_vm_that_never_ran(void **state)
{
    struct fixture *fixture = *state;
    struct series_vm *values = &fixture->model.vms[0]->values;

    memset(fixture->exits[0], 0, sizeof(fixture->exits[0]));
    for (int i = 0; i < 2; i++) {
        fixture->time_ns += 1000000000;
        sample_vm(fixture, 0);
    }
    assert_true(idle_of(fixture, NULL, SERIES_SAMPLE) < 0);
    assert_string_equal(figure_state(values, NULL), "never ran");
    fixture->status = (struct client_status){CLIENT_PAUSED, "paused"};
    sample_vm(fixture, 0);
    assert_string_equal(figure_state(values, NULL), "never ran");
}

/* A vCPU that never ran has no part in how idle the VM is; one in its VMM only if it has exits. */
static void test_vcpus_that_do_not_run(void **state)
{
    struct fixture *fixture = *state;
    struct series_vm *values = &fixture->model.vms[0]->values;

    fixture->blocking[0][0] = 1;
    fixture->states[1] = CLIENT_NEVER_RAN;
    fixture->states[2] = CLIENT_OUTSIDE;
    sample(fixture);
    for (int i = 0; i < 2; i++) {
        fixture->time_ns += 1000000000;
        sample_vm(fixture, 0);
    }
    assert_true(idle_of(fixture, NULL, SERIES_SAMPLE) == 1);
    assert_true(idle_of(fixture, values->objects[2], SERIES_SAMPLE) < 0);
    assert_true(idle_of(fixture, values->objects[3], SERIES_SAMPLE) < 0);
    assert_string_equal(figure_state(values, values->objects[2]), "never ran");
    assert_string_equal(figure_state(values, values->objects[3]), "outside");
    fixture->exits[0][2]++;
    fixture->time_ns += 1000000000;
    sample_vm(fixture, 0);
    assert_true(idle_of(fixture, values->objects[3], SERIES_SAMPLE) == 0);
}

/* KVM adds a halt at its end: before, it counts for as long as it was seen to go on. */
static void test_totals_of_a_halt_that_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct series_vm *values = &fixture->model.vms[0]->values;
    double before;

    memset(fixture->wait[0], 0, sizeof(fixture->wait[0]));
    fixture->blocking[0][0] = 1;
    fixture->time_ns += 1000000000;
    sample_vm(fixture, 0);
    before = idle_of(fixture, values->objects[1], SERIES_BEGIN);
    assert_true(before < 0); /* it is not known for how long */
    for (int i = 0; i < 3; i++) {
        fixture->time_ns += 1000000000;
        sample_vm(fixture, 0);
    }
    assert_true(idle_of(fixture, values->objects[1], SERIES_BEGIN) == 3);
    fixture->wait[0][0] = 5000000000;
    fixture->blocking[0][0] = 0;
    fixture->time_ns += 1000000000;
    sample_vm(fixture, 0);
    assert_true(idle_of(fixture, values->objects[1], SERIES_BEGIN) == 5);
}

/* KVM says of a vCPU that waits to be started that it is halted. Nobody sleeps there. */
static void test_no_totals_of_a_halt_of_what_never_ran(void **state)
{
    struct fixture *fixture = *state;
    struct series_vm *values = &fixture->model.vms[0]->values;

    memset(fixture->wait[0], 0, sizeof(fixture->wait[0]));
    memset(fixture->exits[0], 0, sizeof(fixture->exits[0]));
    fixture->blocking[0][1] = 1;
    for (int i = 0; i < 4; i++) {
        fixture->exits[0][0] += 10;
        fixture->time_ns += 1000000000;
        sample_vm(fixture, 0);
    }
    assert_true(idle_of(fixture, values->objects[2], SERIES_BEGIN) < 0);
    assert_true(idle_of(fixture, NULL, SERIES_BEGIN) == 0);
    fixture->exits[0][1] = 1;
    fixture->time_ns += 1000000000;
    sample_vm(fixture, 0);
    assert_true(idle_of(fixture, values->objects[2], SERIES_BEGIN) == 4);
}

/* Where one counter went down, all of the VM began anew. */
static void test_a_reset_is_of_the_whole_vm(void **state)
{
    struct fixture *fixture = *state;

    sample(fixture);
    sample(fixture);
    fixture->exits[0][1] = 1;
    fixture->time_ns += 1000000000;
    sample_vm(fixture, 0);
    for (size_t i = 1; i < 4; i++) {
        const struct series_object *object = fixture->model.vms[0]->values.objects[i];

        for (size_t j = 0; j < object->n_series; j++) {
            assert_false(object->series[j]->has_deltas);
            assert_int_equal(object->series[j]->is_reset, row_is_counting(object->series[j]->stat));
        }
    }
}

/* ---- order ---------------------------------------------------------------------------------- */

/* A vCPU that is back stands where it stood before, and the others are the same. */
static void test_vcpus_stay_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct client_object vcpus[] = {{"vcpu", "/0", 0, CLIENT_UNKNOWN, NULL, 0, 0},
                                    {"vcpu", "/1", 1, CLIENT_UNKNOWN, NULL, 0, 0},
                                    {"vcpu", "/2", 2, CLIENT_UNKNOWN, NULL, 0, 0}};
    struct client_snapshot all = {vcpus, 3, 1, false}, later = {vcpus + 1, 2, 2, false};
    struct series_object *last;

    take_vcpus(fixture, 0, &all);
    last = fixture->model.vms[0]->values.objects[2];
    take_vcpus(fixture, 0, &later);
    take_vcpus(fixture, 0, &all);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(fixture->model.vms[0]->values.objects[i]->vcpu, i);
    assert_ptr_equal(fixture->model.vms[0]->values.objects[2], last);
}

enum { TALL = 32, WIDE = CLIENT_STATS_MAX };

/* A sample of TALL vCPUs with the statistics from @first on. Returns its seconds of computing. */
static double take_wide(struct fixture *fixture, const struct client_stat *stats, size_t first)
{
    static struct client_value values[WIDE];
    static char paths[TALL][16];
    struct client_object vcpus[TALL];
    uint64_t exits = fixture->time_ns;
    clock_t begin;

    for (size_t i = first; i < WIDE; i++)
        values[i] = (struct client_value){&stats[i], &exits, 1};
    for (size_t i = 0; i < TALL; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/wide%zu", i);
        vcpus[i] = (struct client_object){"vcpu",         paths[i],     (int64_t)i, CLIENT_UNKNOWN,
                                          &values[first], WIDE - first, 0};
    }
    fixture->time_ns += 1000000000;
    begin = clock();
    take_vcpus(fixture, 1, &(struct client_snapshot){vcpus, TALL, fixture->time_ns, false});
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* A peer may leave out half of its statistics each second time, which moves all others. */
static void test_thousands_of_statistics_that_move(void **state)
{
    static struct client_stat stats[WIDE];
    struct fixture *fixture = *state;
    double seconds;

    for (size_t i = 0; i < WIDE; i++) {
        stats[i] = vcpu_stats[EXITS];
        stats[i].desc.name = i % 2 ? "odd" : "even";
    }
    take_wide(fixture, stats, 0);
    seconds = take_wide(fixture, stats, WIDE / 2);
    assert_true(fixture->model.vms[1]->values.objects[0]->series[0]->has_deltas);
    seconds += take_wide(fixture, stats, 0) + take_wide(fixture, stats, 0);
    assert_true(fixture->model.vms[1]->values.objects[0]->series[WIDE - 1]->has_deltas);
    assert_true(seconds < 3);
}

static void test_help(void **state)
{
    struct fixture *fixture = *state;

    press(fixture, "h");
    assert_contains(draw(fixture, 80, 24), "Any key goes back.");
    press(fixture, "q"); /* any key */
    assert_false(fixture->model.is_done);
    press(fixture, "q");
    assert_true(fixture->model.is_done);
}

enum { KEYS = 17 };

static const char *const help[] = {"Enter, x, Right  ", "R  ", "c  ", "t  ", "q  "};

static void check_all_help(const char *shown)
{
    assert_contains(shown, "vitals top: keys\n");
    for (size_t i = 0; i < N_ELEMENTS(help); i++)
        assert_contains(shown, help[i]);
    assert_contains(shown, "Any key goes back.\n");
}

/* Or wide, and then there are two columns. */
static void test_help_on_a_high_screen(void **state)
{
    static const size_t sizes[][2] = {{80, 24}, {80, 19}, {200, 50}, {200, 11}, {150, 11}};

    press(*state, "h");
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
        check_all_help(draw(*state, sizes[i][0], sizes[i][1]));
    press(*state, "j"); /* any key */
    assert_false(((struct fixture *)*state)->model.has_help);
}

static void test_help_on_a_low_screen(void **state)
{
    struct fixture *fixture = *state;
    size_t n = 0;

    press(fixture, "h");
    assert_contains(draw(fixture, 80, 10), "Enter, x, Right  ");
    assert_contains(text, "vitals top: keys\n");
    assert_contains(text, "\nUp, Down: more. Any other key goes back.\n");
    check_absent(text, "quit");
    for (; !strstr(draw(fixture, 80, 10), "quit"); n++)
        press(fixture, "j");
    assert_int_equal(n, KEYS - 8);
    press(fixture, "jj"); /* not further */
    assert_contains(draw(fixture, 80, 10), "\n  q  ");
    press(fixture, "k");
    check_absent(draw(fixture, 80, 10), "quit");
    model_press(&fixture->model, MODEL_KEY_HOME);
    assert_contains(draw(fixture, 80, 10), "Enter, x, Right  ");
    model_press(&fixture->model, MODEL_KEY_PAGE_DOWN);
    check_absent(draw(fixture, 80, 10), "Enter, x, Right  ");
    model_press(&fixture->model, MODEL_KEY_PAGE_DOWN);
    assert_contains(draw(fixture, 80, 10), "quit");
    model_press(&fixture->model, MODEL_KEY_PAGE_UP);
    model_press(&fixture->model, MODEL_KEY_END);
    assert_contains(draw(fixture, 80, 10), "quit");
    check_all_help(draw(fixture, 80, 24)); /* it has grown meanwhile */
    press(fixture, "q");
    assert_false(fixture->model.has_help || fixture->model.is_done);
    press(fixture, "h"); /* begins at its begin */
    assert_contains(draw(fixture, 80, 10), "Enter, x, Right  ");
}

/* Each line of it can be reached on the lowest, too. */
static void test_help_on_a_single_line(void **state)
{
    press(*state, "h");
    for (size_t height = 1; height <= 4; height++) {
        draw(*state, 80, height);
        model_press(&((struct fixture *)*state)->model, MODEL_KEY_HOME);
        assert_contains(draw(*state, 80, height), "Enter, x, Right  ");
        for (size_t i = 1; i < KEYS; i++)
            press(*state, "j");
        assert_contains(draw(*state, 80, height), "  q  ");
    }
}

static void test_the_report(void **state)
{
    struct fixture *fixture = *state;
    struct buf out = {0};

    assert_true(screen_report(&fixture->screen, &fixture->model, 100));
    for (size_t i = 0; i < fixture->screen.height; i++)
        screen_line(&fixture->screen, i, &out);
    buf_append(&out, "", 1);
    assert_int_equal(fixture->screen.height, 1 + 4 + 2 * (1 + 1 + 1 + 1 + VCPUS));
    assert_contains(out.data, "vcpu 2");
    buf_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vms_with_the_most_exits_first),
        TEST(test_sorting),
        TEST(test_drilling_down_and_back),
        TEST(test_a_counter),
        TEST(test_a_value_that_does_not_count),
        TEST(test_a_long_history),
        TEST(test_names_differ_at_their_ends),
        TEST(test_numbers_are_never_cut),
        TEST(test_vms_of_one_name),
        TEST(test_all_vcpus),
        TEST(test_a_vcpu_of_all_that_goes),
        TEST(test_the_line_for_all),
        TEST(test_the_busiest_is_a_cause),
        TEST(test_sorting_by_what_is_hidden),
        TEST(test_columns_of_the_host),
        TEST(test_a_histogram),
        TEST(test_a_histogram_without_values),
        TEST(test_filters),
        TEST(test_a_filter_by_a_name),
        TEST(test_totals_and_the_baseline),
        TEST(test_a_vcpu_that_was_missing_has_a_baseline),
        TEST(test_zeros),
        TEST(test_a_reset_is_no_negative_rate),
        TEST(test_pausing),
        TEST(test_the_interval),
        TEST(test_the_selected_line_is_followed),
        TEST(test_trouble_has_room),
        TEST(test_vms_come_and_go),
        TEST(test_a_vm_that_is_gone),
        TEST(test_a_vm_that_is_back),
        TEST(test_no_rate_of_a_histogram_that_was_turned),
        TEST(test_no_rate_across_a_gap),
        TEST(test_rates_after_a_gap),
        TEST(test_the_baseline_begins_anew),
        TEST(test_a_vm_that_is_back_while_it_is_looked_at),
        TEST(test_what_a_vm_that_is_back_has_no_more),
        TEST(test_a_vcpu_that_goes_while_it_is_looked_at),
        TEST(test_a_vcpu_that_goes_while_a_filter_is_typed),
        TEST(test_names_do_nothing_to_a_terminal),
        TEST(test_sizes),
        TEST(test_a_wide_screen_shows_more),
        TEST(test_a_low_screen_scrolls),
        TEST(test_thousands_of_vcpus),
        TEST(test_a_paused_vm_is_not_idle),
        TEST(test_a_vm_that_never_ran),
        TEST(test_vcpus_that_do_not_run),
        TEST(test_totals_of_a_halt_that_goes_on),
        TEST(test_no_totals_of_a_halt_of_what_never_ran),
        TEST(test_a_reset_is_of_the_whole_vm),
        TEST(test_vcpus_stay_in_order),
        TEST(test_thousands_of_statistics_that_move),
        TEST(test_help),
        TEST(test_help_on_a_high_screen),
        TEST(test_help_on_a_low_screen),
        TEST(test_help_on_a_single_line),
        TEST(test_the_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
