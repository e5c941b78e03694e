/* SPDX-License-Identifier: MIT */
/* The names of types and units: there is one for each, and it leads back. */
#include "check.h"
#include "qmp/stat_names.h"
#include "stats/schema.h"

static const enum vitals_dialect dialects[] = {VITALS_DIALECT_GROUPED, VITALS_DIALECT_FLAT};

static void each_type_has_a_name_that_leads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(dialects); i++) {
        for (uint8_t type = 0; type < STAT_TYPES; type++) {
            const char *name = stat_type_name(dialects[i], type);

            assert_non_null(name);
            assert_int_equal(stat_type_find(dialects[i], name), type);
        }
    }
}

static void each_unit_of_grouped_has_a_name(void **state)
{
    (void)state;
    for (uint8_t unit = 0; unit < STAT_UNITS; unit++) {
        const char *name = stat_unit_name(VITALS_DIALECT_GROUPED, unit);

        assert_non_null(name);
        assert_int_equal(stat_unit_find(VITALS_DIALECT_GROUPED, name),
                         unit == VITALS_BOOLEAN ? VITALS_NONE : unit);
    }
}

static void each_unit_of_flat_but_none_has_a_name(void **state)
{
    (void)state;
    assert_null(stat_unit_name(VITALS_DIALECT_FLAT, VITALS_NONE));
    for (uint8_t unit = VITALS_NONE + 1; unit < STAT_UNITS; unit++) {
        const char *name = stat_unit_name(VITALS_DIALECT_FLAT, unit);

        assert_non_null(name);
        assert_int_equal(stat_unit_find(VITALS_DIALECT_FLAT, name), unit);
    }
}

static void other_names_are_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(dialects); i++) {
        static const char *const others[] = {NULL, "", "Bytes", "byte", "bytes ", "peaks"};

        for (size_t j = 0; j < N_ELEMENTS(others); j++) {
            assert_int_equal(stat_type_find(dialects[i], others[j]), -1);
            assert_int_equal(stat_unit_find(dialects[i], others[j]), -1);
        }
    }
    assert_int_equal(stat_type_find(VITALS_DIALECT_GROUPED, "linear-histogram"), -1);
    assert_int_equal(stat_type_find(VITALS_DIALECT_FLAT, "log-hist"), -1);
    assert_int_equal(stat_unit_find(VITALS_DIALECT_GROUPED, "boolean"), -1);
    assert_int_equal(stat_unit_find(VITALS_DIALECT_FLAT, "none"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_a_name_that_leads_back),
        cmocka_unit_test(each_unit_of_grouped_has_a_name),
        cmocka_unit_test(each_unit_of_flat_but_none_has_a_name),
        cmocka_unit_test(other_names_are_not_found),
    };

    return cmocka_run_group_tests_name("names of types and units", tests, NULL, NULL);
}
