/* SPDX-License-Identifier: MIT */
/* Which VM a process runs: command lines and control groups as VMMs and hosts really make them. */
#include "host/identity.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define LINE(text) .command_line = (text), .command_line_size = sizeof(text)

static void check(struct process_text process, const char *vmm, const char *name)
{
    struct identity identity;

    process.pid = 42;
    identity_read(&process, &identity);
    assert_string_equal(identity.vmm, vmm);
    assert_string_equal(identity.name, name);
}

static void qemu_is_named_by_its_name(void **state)
{
    (void)state;
    check((struct process_text){LINE(
              "/usr/bin/qemu-system-x86_64\0-name\0guest=web1,debug-threads=on")},
          "qemu", "web1");
    check((struct process_text){LINE("qemu-system-aarch64\0--name\0web2,process=x")}, "qemu",
          "web2");
    check((struct process_text){LINE("qemu-system-x86_64\0-name\0debug-threads=on,guest=web3")},
          "qemu", "web3");
    check((struct process_text){LINE("qemu-system-x86_64\0-name\0guest=a,,b,,c,process=d")}, "qemu",
          "a,b,c");
}

static void qemu_without_a_name_is_named_by_its_pid(void **state)
{
    (void)state;
    check((struct process_text){LINE("qemu-system-x86_64\0-name")}, "qemu", "qemu-42");
    check((struct process_text){LINE("qemu-system-x86_64\0-name\0debug-threads=on")}, "qemu",
          "qemu-42");
    check((struct process_text){LINE("qemu-system-x86_64\0-nodefaults\0-names\0x")}, "qemu",
          "qemu-42");
}

static void proxmox_has_a_name_or_a_number(void **state)
{
    (void)state;
    check((struct process_text){LINE("/usr/bin/kvm\0-id\0"
                                     "104\0-name\0db,debug-threads=on")},
          "qemu", "db");
    check((struct process_text){LINE("/usr/bin/kvm\0-id\0"
                                     "104")},
          "qemu", "104");
}

static void other_vmms_have_options_of_their_own(void **state)
{
    (void)state;
    check((struct process_text){LINE("/usr/bin/firecracker\0--id\0"
                                     "fc-7\0--api-sock\0/x")},
          "firecracker", "fc-7");
    check((struct process_text){LINE("firecracker-v1.7-x86_64\0--id=fc-8")}, "firecracker", "fc-8");
    check((struct process_text){LINE("crosvm\0run\0--name\0termina")}, "crosvm", "termina");
    check((struct process_text){LINE("cloud-hypervisor\0--api-socket\0path=/run/ch/web.sock")},
          "cloud-hypervisor", "web");
    check((struct process_text){LINE("cloud-hypervisor\0--api-socket\0/run/ch/web")},
          "cloud-hypervisor", "web");
    check((struct process_text){LINE("lkvm\0run\0--name\0guest-1")}, "kvmtool", "guest-1");
    check((struct process_text){LINE("vitals\0demo\0--name=demo")}, "vitals", "demo");
}

static void a_machine_of_systemd_has_a_name(void **state)
{
    const char cgroup[] =
        "0::/machine.slice/machine-qemu\\x2d12\\x2dmy\\x2dweb.scope/libvirt/emulator\n";

    (void)state;
    check((struct process_text){LINE("own-vmm\0x"), .cgroup = cgroup}, "own-vmm", "my-web");
    check(
        (struct process_text){LINE("own-vmm"), .cgroup = "1:cpu:/machine.slice/machine-a.scope\n"},
        "own-vmm", "a");
}

static void what_is_no_escape_of_systemd_stays(void **state)
{
    const char cgroup[] = "0::/machine.slice/machine-a\\x-1b\\x2\\xg0\\x41.scope\n";

    (void)state;
    check((struct process_text){LINE("own-vmm"), .cgroup = cgroup}, "own-vmm", "a\\x-1b\\x2\\xg0A");
}

static void a_pod_has_a_uid(void **state)
{
    (void)state;
    check((struct process_text){LINE("vmm"), .cgroup =
                                                 "0::/kubepods.slice/kubepods-burstable.slice/"
                                                 "kubepods-burstable-pod1234_56ab.slice/"
                                                 "cri-containerd-99.scope\n"},
          "vmm", "pod-1234-56ab");
    check(
        (struct process_text){LINE("vmm"), .cgroup = "4:cpu:/kubepods/burstable/pod1234-56ab/99\n"},
        "vmm", "pod-1234-56ab");
}

#define ID       "e23ce43dcbe0feef12bc0199df6bf45dcf21d19260ace8544fe8b769fc2638bf"
#define OTHER_ID "a1e311027d69c40fe0520f086f7b85bcc62f31ac97b47f1b03d68b494f432b50"

/* As the runtimes name the groups of their containers, with systemd and without, in both versions. */
static void a_container_has_a_short_id(void **state)
{
    static const char *const cgroups[] = {
        "0::/system.slice/docker-" ID ".scope\n",
        "0::/docker/" ID "\n",
        "12:memory:/docker/" ID "\n11:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/docker/" ID "\n",
        "0::/machine.slice/libpod-" ID ".scope/container\n",
        "0::/machine.slice/machine-libpod_pod_77.slice/libpod-" ID ".scope\n",
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
        ".scope/container\n",
        "0::/libpod_parent/libpod-" ID "/ctr\n",
        "0::/system.slice/crio-" ID ".scope/container\n",
        "0::/system.slice/cri-containerd-" ID ".scope\n",
        "11:cpu,cpuacct:/system.slice/containerd.service/system.slice:cri-containerd:" ID "\n",
        "0::/system.slice/nerdctl-" ID ".scope\n",
        "0::/default/" ID "\n",
        "0::/system.slice/docker-" ID ".scope (deleted)\n0::/docker/" ID "\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
        check((struct process_text){LINE("vmm"), .cgroup = cgroups[i]}, "vmm", "e23ce43dcbe0");
        check((struct process_text){LINE("firecracker\0--id\0fc-7"), .cgroup = cgroups[i]},
              "firecracker", "fc-7");
    }
}

static void what_holds_a_container_comes_first(void **state)
{
    (void)state;
    check((struct process_text){LINE("vmm"), .cgroup = "0::/kubepods.slice/kubepods-pod1234_56ab."
                                                       "slice/crio-" ID ".scope/container\n"},
          "vmm", "pod-1234-56ab");
    check((struct process_text){LINE("vmm"), .cgroup = "4:cpu:/kubepods/pod1234-56ab/" ID "\n"},
          "vmm", "pod-1234-56ab");
    check((struct process_text){LINE("vmm"), .cgroup = "0::/docker/" ID "/docker/" OTHER_ID "\n"},
          "vmm", "e23ce43dcbe0");
}

static void what_is_no_id_names_nobody(void **state)
{
    static const char *const cgroups[] = {
        "0::/system.slice/docker-e23ce43dcbe0.scope\n",
        "0::/docker/" ID "0\n",
        "0::/docker/g" ID "\n",
        "0::/system.slice/docker-g" ID ".scope\n",
        "0::/system.slice/docker.service\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/podman.service\n",
        "0::/user.slice/podman-1234.scope\n",
        "0::/kubepods.slice/kubepods-podman.slice\n",
        "0::/pod\n",
        "0::/\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++)
        check((struct process_text){LINE("vmm"), .cgroup = cgroups[i]}, "vmm", "vmm-42");
}

static void anything_else_is_program_and_pid(void **state)
{
    (void)state;
    check((struct process_text){LINE("/opt/own/vmm\0--name\0x"), .cgroup = "0::/user.slice\n"},
          "vmm", "vmm-42");
    check((struct process_text){.program = "bare_vmm"}, "bare_vmm", "bare_vmm-42");
    check((struct process_text){0}, "", "process-42");
}

static void what_a_stranger_wrote_is_made_plain(void **state)
{
    (void)state;
    check((struct process_text){LINE("qemu-system-x86_64\0-name\0a\033[2Jb\nc")}, "qemu",
          "a?[2Jb?c");
    check((struct process_text){LINE("/x/\033[1m")}, "?[1m", "?[1m-42");
}

static void a_long_name_is_cut_at_a_whole_character(void **state)
{
    char line[400] = "firecracker\0--id";
    size_t start = sizeof("firecracker\0--id");
    struct process_text process = {
        .pid = 1, .command_line = line, .command_line_size = sizeof(line)};
    struct identity identity;

    (void)state;
    for (size_t limit = IDENTITY_NAME_MAX - 1, n = limit; n <= limit + 1; n++) {
        memset(line + start, 'a', n);
        line[start + n] = '\0';
        identity_read(&process, &identity);
        assert_int_equal(strlen(identity.name), limit);
    }
    memcpy(line + start + IDENTITY_NAME_MAX - 2, "\xc3\xbc", 3);
    identity_read(&process, &identity);
    assert_int_equal(strlen(identity.name), IDENTITY_NAME_MAX - 2);
}

static void a_command_line_may_end_anywhere(void **state)
{
    static const char line[] = "qemu-system-x86_64\0-name\0guest=web1,debug-threads=on\0-uuid\0"
                               "4a1c1e6a-0000-4000-8000-000000000001";

    (void)state;
    for (size_t size = 0; size <= sizeof(line); size++) {
        struct process_text process = {.pid = 1, .command_line_size = size, .program = "qemu"};
        struct identity identity;
        char *exact = test_malloc(size + 1); /* so that a sanitizer sees a read past the end */

        memcpy(exact, line, size);
        process.command_line = exact;
        identity_read(&process, &identity);
        assert_true(identity.name[0] != '\0');
        test_free(exact);
    }
}

static void a_uuid_must_be_one(void **state)
{
    struct process_text good = {LINE("kvm\0-uuid\0"
                                     "4a1c1e6a-0000-4000-8000-00000000000f")};
    struct process_text bad = {LINE("kvm\0-uuid\0"
                                    "4a1c1e6a-0000-4000-8000-00000000000g")};
    struct identity identity;

    (void)state;
    identity_read(&good, &identity);
    assert_string_equal(identity.uuid, "4a1c1e6a-0000-4000-8000-00000000000f");
    identity_read(&bad, &identity);
    assert_string_equal(identity.uuid, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qemu_is_named_by_its_name),
        cmocka_unit_test(qemu_without_a_name_is_named_by_its_pid),
        cmocka_unit_test(proxmox_has_a_name_or_a_number),
        cmocka_unit_test(other_vmms_have_options_of_their_own),
        cmocka_unit_test(a_machine_of_systemd_has_a_name),
        cmocka_unit_test(what_is_no_escape_of_systemd_stays),
        cmocka_unit_test(a_pod_has_a_uid),
        cmocka_unit_test(a_container_has_a_short_id),
        cmocka_unit_test(what_holds_a_container_comes_first),
        cmocka_unit_test(what_is_no_id_names_nobody),
        cmocka_unit_test(anything_else_is_program_and_pid),
        cmocka_unit_test(what_a_stranger_wrote_is_made_plain),
        cmocka_unit_test(a_long_name_is_cut_at_a_whole_character),
        cmocka_unit_test(a_command_line_may_end_anywhere),
        cmocka_unit_test(a_uuid_must_be_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
