/* SPDX-License-Identifier: MIT */
/* Which of the kernel's messages are about VMs. */
#include "serve/uevents.h"

#include "check.h"

#define KVM "change@/devices/virtual/misc/kvm\0ACTION=change\0SUBSYSTEM=misc\0"

static const struct {
    const char *what, *message;
    size_t len;
    bool is_of_vm;
} cases[] = {
#define MESSAGE(text) text, sizeof(text)
    {"a VM that begins", MESSAGE(KVM "EVENT=create\0PID=7"), true},
    {"one that ends", MESSAGE(KVM "CREATED=1\0EVENT=destroy"), true},
    {"another event", MESSAGE(KVM "EVENT=created"), false},
    {"no event", MESSAGE(KVM "X"), false},
    {"another device", MESSAGE("change@/devices/virtual/misc/kvm2\0EVENT=create"), false},
    {"the device itself", MESSAGE("add@/devices/virtual/misc/kvm\0EVENT=create"), false},
    {"what is cut", KVM "EVENT=create", sizeof(KVM "EVENT=create") - 1, false},
    {"nothing", "", 0, false},
    {"an empty text", MESSAGE(""), false},
};

static void vms_are_told_from_all_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (uevent_is_of_vm(cases[i].message, cases[i].len) != cases[i].is_of_vm)
            fail_msg("%s", cases[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vms_are_told_from_all_else)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
