/* SPDX-License-Identifier: MIT */
/* The names of the providers that are shown: what they may be, and who has them how long. */
#include "stats/providers.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "vitals/qmp.h"

static struct providers *parse(const char *names)
{
    struct providers *providers;
    struct error_text error;

    check_ok(providers_parse(names, &error, &providers));
    return providers;
}

static void assert_refused(const char *names, int err, const char *text)
{
    struct providers *providers;
    struct error_text error;

    check_error(providers_parse(names, &error, &providers), err);
    assert_string_equal(error.text, text);
}

static void null_is_all(void **state)
{
    struct providers *all = parse(NULL);

    (void)state;
    assert_null(all);
    assert_true(providers_have(all, "kvm"));
    assert_null(providers_ref(all));
    providers_unref(all);
}

static void names_are_compared_whole(void **state)
{
    struct providers *two = parse("kvm,sched-2"), *one = parse("a");

    (void)state;
    assert_true(providers_have(two, "kvm"));
    assert_true(providers_have(two, "sched-2"));
    assert_false(providers_have(two, "kv"));
    assert_false(providers_have(two, "kvm2"));
    assert_false(providers_have(two, "sched"));
    assert_false(providers_have(two, "kvm,sched-2"));
    assert_false(providers_have(two, ""));
    assert_true(providers_have(one, "a"));
    assert_false(providers_have(one, "b"));
    providers_unref(two);
    providers_unref(one);
}

static void the_text_is_copied(void **state)
{
    char names[] = "kvm,demo";
    struct providers *providers = parse(names);

    (void)state;
    memset(names, 'x', sizeof(names) - 1);
    assert_true(providers_have(providers, "kvm"));
    assert_true(providers_have(providers, "demo"));
    providers_unref(providers);
}

static void the_last_reference_frees_it(void **state)
{
    struct providers *providers = parse("kvm");

    (void)state;
    assert_ptr_equal(providers_ref(providers), providers);
    providers_unref(providers);
    assert_true(providers_have(providers, "kvm"));
    providers_unref(providers);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_refused("", EINVAL, "providers: entry 1 is empty");
    assert_refused(",kvm", EINVAL, "providers: entry 1 is empty");
    assert_refused("kvm,", EINVAL, "providers: entry 2 is empty");
    assert_refused("kvm,sched,,demo", EINVAL, "providers: entry 3 is empty");
    assert_refused("kvm, sched", EINVAL, "provider name ' sched' is not [a-z][a-z0-9_-]{0,62}");
    assert_refused("KVM", EINVAL, "provider name 'KVM' is not [a-z][a-z0-9_-]{0,62}");
    assert_refused("kvm:sched", EINVAL, "provider name 'kvm:sched' is not [a-z][a-z0-9_-]{0,62}");
    assert_refused("a,kvm,b,kvm", EINVAL, "providers: 'kvm' is named twice");
}

static void a_name_has_at_most_63_bytes(void **state)
{
    char name[VITALS_NAME_MAX + 2] = "", expected[200];

    (void)state;
    memset(name, 'n', VITALS_NAME_MAX);
    providers_unref(parse(name));
    name[VITALS_NAME_MAX] = 'n';
    snprintf(expected, sizeof(expected), "provider name '%s' has 64 bytes, at most 63", name);
    assert_refused(name, E2BIG, expected);
}

/* The names p0, p1 and so on, joined. */
static const char *many_names(int n)
{
    static char names[8 * VITALS_PROVIDERS_MAX];
    size_t len = 0;
    int i;

    for (i = 0; i < n; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%sp%d", i ? "," : "", i);
    return names;
}

static void there_are_at_most_16(void **state)
{
    struct providers *most = parse(many_names(VITALS_PROVIDERS_MAX));

    (void)state;
    assert_int_equal(VITALS_PROVIDERS_MAX, 16);
    assert_true(providers_have(most, "p0"));
    assert_true(providers_have(most, "p15"));
    assert_false(providers_have(most, "p16"));
    assert_refused(many_names(VITALS_PROVIDERS_MAX + 1), E2BIG, "providers: more than 16 names");
    providers_unref(most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_all),
        cmocka_unit_test(names_are_compared_whole),
        cmocka_unit_test(the_text_is_copied),
        cmocka_unit_test(the_last_reference_frees_it),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_name_has_at_most_63_bytes),
        cmocka_unit_test(there_are_at_most_16),
    };

    return cmocka_run_group_tests_name("providers", tests, NULL, NULL);
}
