/* SPDX-License-Identifier: MIT */
/* What a build without clang, libbpf or bpftool has in their place: it is linked here in any build. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "bpf/kvm_files.h"
#include "bpf/threads.h"

static void a_build_without_says_so(void **state)
{
    struct bpf_why why = {0};
    struct bpf_kvm *kvm = NULL;
    struct bpf_threads *threads = NULL;

    (void)state;
    check_error(bpf_kvm_open("", &why, &kvm), ENOSYS);
    assert_int_equal(why.missing, BPF_MISSING_BUILD);
    assert_contains(why.text, "built without");
    assert_contains(why.hint, "libbpf");
    assert_null(kvm);
    why = (struct bpf_why){0};
    check_error(bpf_threads_open("", &why, &threads), ENOSYS);
    assert_int_equal(why.missing, BPF_MISSING_BUILD);
    assert_null(threads);
    bpf_kvm_close(NULL);
    bpf_threads_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_without_says_so),
    };

    return cmocka_run_group_tests_name("bpf_without", tests, NULL, NULL);
}
