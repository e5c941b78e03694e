/* SPDX-License-Identifier: MIT */
#include "kvm/meanings.h"

#include <string.h>

#include "base/count.h"

#define EXPLAIN_EXITS "'perf kvm stat live' on the host counts exits by reason."
#define EXPLAIN_POLL                                                                               \
    "The module parameters kvm.halt_poll_ns, halt_poll_ns_grow and halt_poll_ns_shrink bound the " \
    "polling; 0 for kvm.halt_poll_ns ends it. KVM_CAP_HALT_POLL is the same for one VM."

/* What shadow page tables are used for. */
#define EXPLAIN_SHADOW                                                                             \
    "KVM shadows page tables where the CPU has no nested paging (EPT, NPT), or it is switched "    \
    "off, and for guests that run guests of their own. 'cat /sys/module/kvm_intel/parameters/ept'" \
    " or '/sys/module/kvm_amd/parameters/npt' says whether it is on."

const struct explanation explanations[] = {
    /* ---- kvm: the VM ------------------------------------------------------------------------ */
    {"kvm", "vm", "remote_tlb_flush",
     "Flushes of the TLBs of the VM's vCPUs that were carried out. KVM flushes them when it has "
     "taken back or restricted a mapping of guest memory.",
     "Each one can interrupt all running vCPUs. Many are bad where the host keeps on changing the "
     "guest's memory.",
     "Look for what changes it: swapping, KSM, automatic NUMA balancing "
     "(kernel.numa_balancing), ballooning, or a migration that logs dirty pages."},
    {"kvm", "vm", "remote_tlb_flush_requests",
     "Times that KVM asked for a flush of the TLBs of the VM's vCPUs. Where nothing has to be "
     "done, the request is not counted in remote_tlb_flush.",
     "As of remote_tlb_flush; requests alone cost little.",
     "Compare with remote_tlb_flush, which says how many were carried out."},
    {"kvm", "vm", "mmu_shadow_zapped",
     "Shadow pages that were thrown away. A shadow page is one of KVM's own page tables for the "
     "guest.",
     "Bad if it keeps on growing: thrown away page tables are built again by page faults.",
     EXPLAIN_SHADOW},
    {"kvm", "vm", "mmu_pte_write",
     "Writes to guest memory that KVM emulated and then looked for in the shadow page tables, "
     "because the page could be a page table of the guest.",
     "A high rate means that the guest changes shadowed page tables often, each time through an "
     "exit.",
     EXPLAIN_SHADOW},
    {"kvm", "vm", "mmu_pde_zapped",
     "Entries of shadow page tables above the lowest level that were dropped because the guest "
     "wrote to its own table.",
     "As of mmu_pte_write.", EXPLAIN_SHADOW},
    {"kvm", "vm", "mmu_flooded",
     "Shadow pages that were dropped because the guest wrote to the page behind them too often, "
     "or in a way that does not look like a page table.",
     "Bad if it keeps on growing: pages switch between page table and other use.", EXPLAIN_SHADOW},
    {"kvm", "vm", "mmu_recycled",
     "Shadow pages that were thrown away only to stay below the limit on their number.",
     "Any steady growth is bad: the VM has too few shadow pages, and pages that are still used "
     "are built again and again.",
     "The VMM can raise the limit with KVM_SET_NR_MMU_PAGES; huge pages need fewer page tables."},
    {"kvm", "vm", "mmu_cache_miss",
     "Times that a shadow page was wanted and had to be made, because none fitted.",
     "Normal while a guest starts. Later a high rate means that page tables are thrown away and "
     "built again.",
     "Compare with mmu_shadow_zapped, mmu_recycled and mmu_flooded, which say why they went."},
    {"kvm", "vm", "mmu_unsync",
     "Shadow pages that may differ from the guest's page tables right now, until the guest "
     "flushes its TLB.",
     "Not bad by itself: it lets the guest write its page tables without exits.", EXPLAIN_SHADOW},
    {"kvm", "vm", "pages_4k", "Mappings of 4 KiB in KVM's page tables for the guest right now.",
     "Bad if most of the guest's memory is mapped like this and not in pages_2m or pages_1g: "
     "TLB misses cost more.",
     "Back the guest's memory with huge pages: hugetlbfs, or transparent huge pages "
     "(/sys/kernel/mm/transparent_hugepage/enabled). A migration that logs dirty pages splits "
     "them, too."},
    {"kvm", "vm", "pages_2m", "Mappings of 2 MiB in KVM's page tables for the guest right now.",
     "A high value is good. Bad if it falls while pages_4k rises.",
     "If it falls, look at nx_lpage_splits, at the host's free huge pages, and whether a "
     "migration is logging dirty pages."},
    {"kvm", "vm", "pages_1g", "Mappings of 1 GiB in KVM's page tables for the guest right now.",
     "A high value is good. 0 is usual without huge pages of 1 GiB on the host.",
     "For huge pages of 1 GiB, reserve them when the host starts (hugepagesz=1G hugepages=N) and "
     "let the VMM use them through hugetlbfs."},
    {"kvm", "vm", "lpages",
     "Huge mappings in KVM's page tables for the guest right now. Linux 5.14 has it; later "
     "kernels have pages_4k, pages_2m and pages_1g instead.",
     "A high value is good.", "If it is low, back the guest's memory with huge pages."},
    {"kvm", "vm", "nx_lpage_splits",
     "Huge mappings that KVM keeps split right now because the guest executes code in them. This "
     "protects against the CPU bug 'iTLB multihit'.",
     "Bad if it is a large part of the guest's memory: TLB misses cost more.",
     "/sys/devices/system/cpu/vulnerabilities/itlb_multihit says whether the CPU has the bug. "
     "KVM joins the pages again with time, as kvm.nx_huge_pages_recovery_ratio and "
     "kvm.nx_huge_pages_recovery_period_ms say. kvm.nx_huge_pages=off only if all guests are "
     "trusted."},
    {"kvm", "vm", "max_mmu_rmap_size",
     "Most mappings of one page of guest memory that KVM has ever found in its list of them.",
     "A high value makes it slow to take back a page.",
     "Nothing, unless the VM is slow when memory is reclaimed or migrated. " EXPLAIN_SHADOW},
    {"kvm", "vm", "max_mmu_page_hash_collisions",
     "Most shadow pages that KVM had to pass over in its hash table during one search.",
     "A high value makes it slow to find shadow pages.",
     "Nothing for an administrator to set. " EXPLAIN_SHADOW},

    /* ---- kvm: vCPUs ------------------------------------------------------------------------- */
    {"kvm", "vcpu", "halt_successful_poll",
     "Times that a halted vCPU got something to do while KVM still polled for it, so that its "
     "thread did not sleep.",
     "A high part of halt_attempted_poll is good for latency.",
     "The price is in halt_poll_success_ns and halt_poll_fail_ns."},
    {"kvm", "vcpu", "halt_attempted_poll",
     "Times that KVM polled for something to do when the vCPU halted, before it let the thread "
     "sleep.",
     "Bad only if most fail: see halt_successful_poll for how many did not.", EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_poll_invalid",
     "Successful polls that were ended by a wakeup that was not for this vCPU. It stays 0 on x86.",
     "Can't be high on x86.", "Nothing."},
    {"kvm", "vcpu", "halt_wakeup", "Times that the sleeping thread of a halted vCPU was woken up.",
     "A high rate means that the guest idles for short times. Each wakeup costs a switch of the "
     "host's scheduler.",
     "Look at halt_wait_hist for how long it sleeps. Polling spares short sleeps: " EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_poll_success_ns", "Time that KVM polled for a halted vCPU, with success.",
     "It is CPU time of the host for an idle guest. Bad where CPUs are shared by many VMs.",
     EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_poll_fail_ns", "Time that KVM polled for a halted vCPU in vain.",
     "Bad: this CPU time of the host is lost. It shows as load of the VMM although the guest is "
     "idle.",
     EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_wait_ns",
     "Time that the thread of the halted vCPU slept, polling not included.",
     "Not bad: it is the time that the vCPU was idle and cost nothing.",
     "If a vCPU that should be busy has much of it, look in the guest for what it waits for."},
    {"kvm", "vcpu", "halt_poll_success_hist",
     "How long the successful polls of a halted vCPU were.",
     "Long polls cost CPU time of the host.", EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_poll_fail_hist", "How long the polls in vain of a halted vCPU were.",
     "Long ones are lost CPU time of the host.", EXPLAIN_POLL},
    {"kvm", "vcpu", "halt_wait_hist",
     "How long the thread of the halted vCPU slept each time, polling not included.",
     "Not bad. Many sleeps below some 100 us are wakeups that polling could spare.", EXPLAIN_POLL},
    {"kvm", "vcpu", KVM_BLOCKING, "1 while the thread of the halted vCPU sleeps, else 0.",
     "Not bad: the vCPU is idle.", "Nothing."},
    {"kvm", "vcpu", "pf_taken",
     "Page faults that KVM's MMU handled for the vCPU: accesses to guest memory that KVM's page "
     "tables did not allow.",
     "Normal while a guest starts and touches its memory. Later a high rate is bad.",
     "pf_fixed, pf_emulate, pf_spurious and pf_fast say what became of them. If they come from "
     "memory that the host takes back, look at swapping, KSM and ballooning; huge pages make "
     "fewer faults."},
    {"kvm", "vcpu", "pf_fixed",
     "Page faults that KVM repaired by entering a mapping in its page tables.",
     "Normal while a guest touches memory for the first time, and during a migration. Else as of "
     "pf_taken.",
     "Huge pages make fewer faults. See pages_4k and pages_2m of the VM."},
    {"kvm", "vcpu", "pf_emulate",
     "Page faults that led to the emulation of the instruction: MMIO, or a write to a page that "
     "KVM keeps write-protected.",
     "Bad at a high rate: emulation is slow.",
     "Compare with mmio_exits. Use virtio devices rather than emulated ones."},
    {"kvm", "vcpu", "pf_spurious",
     "Page faults for which KVM had nothing to do, because they had been "
     "repaired already, such as by another vCPU.",
     "A few are normal with many vCPUs.",
     "If they are a large part of pf_taken, many vCPUs touch the same new memory at once."},
    {"kvm", "vcpu", "pf_fast",
     "Page faults that KVM repaired without taking its MMU lock, such as writes to pages that are "
     "write-protected to log dirty pages.",
     "Usual during a migration; they are the cheap kind.", "Nothing, if a migration is running."},
    {"kvm", "vcpu", "pf_mmio_spte_created",
     "Entries of KVM's page tables that were made to recognise MMIO faster the next time.",
     "Bad only if it keeps on growing: the entries are thrown away and made again.",
     "Nothing else: later faults at these addresses are cheaper."},
    {"kvm", "vcpu", "pf_guest",
     "Page faults that KVM handed on to the guest, because its own page tables do not allow the "
     "access.",
     "Not bad by itself: the guest would have had them without KVM, too. With nested paging KVM "
     "sees few of them.",
     EXPLAIN_SHADOW},
    {"kvm", "vcpu", "tlb_flush", "Times that KVM flushed the vCPU's TLB.",
     "Bad at a high rate: the guest misses the TLB more.",
     "Compare with remote_tlb_flush of the VM, which says how many the host's memory management "
     "caused."},
    {"kvm", "vcpu", "invlpg",
     "Times that KVM handled the dropping of one page from the TLB for the guest (INVLPG).",
     "Bad at a high rate: each is an exit. It is low with nested paging, where the CPU does it.",
     EXPLAIN_SHADOW},
    {"kvm", "vcpu", "exits", "Times that the vCPU left the guest's code for KVM.",
     "Bad at a high rate: the CPU's time goes to exits and not to the guest.",
     EXPLAIN_EXITS " io_exits, mmio_exits, halt_exits, irq_exits and hypercalls count common "
                   "ones."},
    {"kvm", "vcpu", "io_exits", "Exits because the guest used an I/O port.",
     "Bad at a high rate: each costs an exit, and often a return to the VMM as well.",
     "Use virtio devices rather than emulated disks, network cards and serial ports. 'perf kvm "
     "stat live --event=ioport' on the host names the ports."},
    {"kvm", "vcpu", "mmio_exits",
     "Accesses to memory-mapped devices that KVM could not finish itself and gave to the VMM.",
     "Bad at a high rate: each is a round trip to the VMM.",
     "Use virtio devices with ioeventfd or vhost rather than emulated ones. 'perf kvm stat live "
     "--event=mmio' on the host names the addresses."},
    {"kvm", "vcpu", "signal_exits",
     "Returns to the VMM because a signal waited for the vCPU's thread.",
     "Bad at a high rate: something in the VMM kicks the vCPU out of the guest.",
     "QEMU before 8.1 does so at each query for statistics of vCPUs: ask less often. Else look at "
     "the VMM's timers and device models."},
    {"kvm", "vcpu", "irq_window_exits",
     "Exits because the guest became able to take an interrupt that was waiting.",
     "Bad at a high rate: such an interrupt costs an exit more. It is rare with APICv or AVIC.",
     "/sys/module/kvm_intel/parameters/enable_apicv or /sys/module/kvm_amd/parameters/avic says "
     "whether the CPU delivers interrupts itself."},
    {"kvm", "vcpu", "nmi_window_exits",
     "Exits because the guest became able to take an NMI that was waiting.",
     "Bad at a high rate: the guest gets many NMIs.",
     "Look for profilers (perf) and NMI watchdogs in the guest."},
    {"kvm", "vcpu", "l1d_flush",
     "Flushes of the L1 data cache before the guest was entered, against the CPU bug L1TF.",
     "Bad at a high rate: each makes the guest's next accesses slow.",
     "/sys/devices/system/cpu/vulnerabilities/l1tf says what the host does. kvm-intel.vmentry_l1d_"
     "flush chooses between always, cond and never; never only if all guests are trusted."},
    {"kvm", "vcpu", "halt_exits", "Exits because the guest halted the vCPU (HLT).",
     "Not bad: the guest is idle. A high rate means many short idle times.",
     "Look at halt_wait_hist for how long they are. Polling in the guest (cpuidle-haltpoll) spares "
     "the exits and costs CPU time."},
    {"kvm", "vcpu", "request_irq_exits",
     "Returns to the VMM that had asked to be told when the vCPU can take an interrupt.",
     "Bad at a high rate: interrupts take their way through the VMM.",
     "Let KVM emulate the interrupt controller: in QEMU, kernel-irqchip=on or split."},
    {"kvm", "vcpu", "irq_exits",
     "Exits because the host's CPU got an interrupt while the guest ran.",
     "Bad at a high rate: the host's devices, timers and other CPUs interrupt the guest.",
     "/proc/interrupts of the host says which. Move them away (IRQ affinity) from the CPUs that "
     "run vCPUs; nohz_full and isolcpus spare timers."},
    {"kvm", "vcpu", "host_state_reload",
     "Times that the host's CPU state was put back, because the thread returned to the VMM or "
     "was scheduled out.",
     "Bad at a high rate: returns to the VMM are much dearer than exits to KVM.",
     "Look at io_exits, mmio_exits and signal_exits, and at the two preemption_ statistics."},
    {"kvm", "vcpu", "fpu_reload",
     "Times that the host's FPU state was put back, usually once for each return to the VMM.",
     "Bad at a high rate: returns to the VMM are much dearer than exits to KVM.",
     "Look at io_exits, mmio_exits and signal_exits for why the vCPU returns."},
    {"kvm", "vcpu", "insn_emulation", "Times that KVM's instruction emulator was started.",
     "Bad at a high rate: emulation is slow.",
     "Often it is MMIO: use virtio devices. " EXPLAIN_EXITS},
    {"kvm", "vcpu", "insn_emulation_fail", "Instructions that KVM could not emulate.",
     "Any growth deserves a look: the guest gets an exception, or the VM stops with an internal "
     "error.",
     "The VMM's log has the instruction's bytes if the VM stopped. The trace event "
     "kvm:kvm_emulate_insn shows them as well."},
    {"kvm", "vcpu", "hypercalls",
     "Hypercalls of the guest that KVM handled, such as to send interrupts to other vCPUs, to "
     "kick one or to yield to it.",
     "Bad at a high rate: each is an exit.",
     "The trace event kvm:kvm_hypercall shows which they are. See directed_yield_attempted for "
     "those of vCPUs that wait for each other."},
    {"kvm", "vcpu", "irq_injections",
     "Interrupts that KVM injected into the vCPU. Those that the CPU delivers itself (APICv, "
     "AVIC) are not among them.",
     "Bad at a high rate: each needed an exit, or came after one.",
     "/proc/interrupts in the guest says what they are. Interrupt coalescing and NAPI in network "
     "cards, and APICv or AVIC, make it fewer."},
    {"kvm", "vcpu", "nmi_injections", "NMIs that KVM injected into the vCPU.",
     "Bad at a high rate.", "Look for profilers (perf) and NMI watchdogs in the guest."},
    {"kvm", "vcpu", "req_event",
     "Times that KVM looked for events to inject before it entered the guest: interrupts, NMIs "
     "and exceptions.",
     "Not bad by itself.", "Look at irq_injections and nmi_injections for what came of it."},
    {"kvm", "vcpu", "nested_run",
     "Times that the vCPU entered a guest of the guest (nested virtualization).",
     "Each costs more than an entry of the guest itself. A high rate is the price of nesting.",
     "If nesting is not wanted: kvm_intel.nested=0 or kvm_amd.nested=0, or a CPU model for the "
     "guest without vmx or svm."},
    {"kvm", "vcpu", "directed_yield_attempted",
     "Times that the guest asked, by a hypercall, to give this vCPU's CPU time to another vCPU.",
     "A high rate means that vCPUs wait for others that do not run: the host is overcommitted.",
     "Give the VM more CPU time, or fewer vCPUs; look for steal time in the guest."},
    {"kvm", "vcpu", "directed_yield_successful",
     "How many of these requests gave the CPU time to the other vCPU.",
     "As of directed_yield_attempted.",
     "Give the VM more CPU time, or fewer vCPUs; look for steal time in the guest."},
    {"kvm", "vcpu", "preemption_reported",
     "Times that the host scheduled the vCPU's thread out while it wanted to run, between two "
     "instructions of the guest, so that the guest may be told.",
     "Bad: the vCPU had to wait for a CPU.",
     "Run fewer vCPUs on the host, pin them to CPUs, or give the VM more weight (cgroup "
     "cpu.weight). Steal time in the guest says how long it waited."},
    {"kvm", "vcpu", "preemption_other",
     "Times that the host scheduled the vCPU's thread out while it wanted to run, at a moment "
     "when the guest can't be told, such as during emulation.",
     "Bad: the vCPU had to wait for a CPU, and other vCPUs may spin for it in vain.",
     "As of preemption_reported: fewer vCPUs, pinning, or more weight."},
    {"kvm", "vcpu", "guest_mode",
     "1 while the vCPU runs a guest of the guest (nested virtualization), else 0.",
     "Not bad by itself.", "See nested_run for how often it enters one."},
    {"kvm", "vcpu", "notify_window_exits",
     "Exits because the guest kept the CPU from taking any event for too long (Intel's 'notify VM "
     "exit').",
     "Any growth deserves a look: a guest may be trying to block the host's CPU.",
     "Find out what runs in the guest. In QEMU, notify-vmexit and notify-window of -accel kvm say "
     "what happens then."},

    /* ---- sched ------------------------------------------------------------------------------ */
    {"sched", "vm", "resident_bytes",
     "Memory of the host that the VMM's process holds, that of the guest included. Pages that are "
     "shared with other processes count in full.",
     "Bad if it comes near to what the host, or the control group of the VM, has.",
     "Compare with the size of the guest's memory: a guest that has touched a page keeps it, "
     "unless it has a balloon or reports free pages."},
    {"sched", "vm", "threads",
     "Threads of the VMM's process: one for each vCPU, and those for I/O and the VMM itself.",
     "Not bad by itself. One that keeps on growing is a leak, or storage that does not answer: "
     "QEMU starts a thread for each request that waits.",
     "'ls /proc/PID/task' and the names in 'comm' there say what they are."},
    {"sched", "vm", "minor_faults",
     "Page faults of the VMM's process that needed nothing from storage. A guest that touches a "
     "page for the first time causes one.",
     "Normal while a guest starts. Later a high rate means that memory is taken and given back "
     "again and again.",
     "Look for ballooning, KSM, compaction and automatic NUMA balancing; huge pages make them "
     "fewer."},
    {"sched", "vm", "major_faults",
     "Page faults of the VMM's process that waited for storage: memory of the guest that was "
     "swapped out, or pages of files.",
     "Any steady rate is bad: a vCPU stands still for milliseconds each time.",
     "The host, or the control group of the VM, lacks memory: give it more (memory.max), lock the "
     "guest's memory, or move VMs away."},
    {"sched", "vm", "read_bytes",
     "Bytes that the VMM's process had read from storage. What came from the page cache, or over "
     "a network, is not counted.",
     "Bad if storage is what the VM waits for.",
     "'iostat -x' on the host says how busy the storage is; io.max of a control group bounds a "
     "VM."},
    {"sched", "vm", "written_bytes",
     "Bytes that the VMM's process caused to be written to storage, counted when they are written "
     "to the page cache, or past it.",
     "As of read_bytes.", "As of read_bytes."},
    {"sched", "vm", "other_threads_ns",
     "CPU time of all threads of the VMM's process that are no vCPU: I/O threads, the main loop, "
     "and threads that have ended. Threads of the kernel that work for the VM, as those of "
     "vhost may be, are not the process's.",
     "Bad if they need more CPUs than are left for them, or run on those of the vCPUs.",
     "'top -H -p PID' says which thread it is. Give I/O threads CPUs of their own; in QEMU, "
     "-object iothread takes work off the main loop."},
    {"sched", "vm", "throttled_ns",
     "Time that a CPU quota held the VM back. It is added up over CPUs, over all control groups "
     "in which threads of the VM are, and over those above them: a quota that the VM shares with "
     "others counts in full for each.",
     "Any growth means that the VM wanted more CPU time than its owner allows. Its vCPUs wait "
     "meanwhile, which steal_ns counts as well.",
     "Raise or remove the quota: cpu.max of the control group, CPUQuota= in systemd, vcpu_quota "
     "and global_quota of libvirt, limits.cpu of a pod. If steal_ns grows and this does not, it is "
     "neighbours that take the CPU."},
    {"sched", "vcpu", "run_ns",
     "Time that the vCPU's thread had a CPU: in the guest, in KVM and in the VMM.",
     "Near to one second per second the vCPU is busy.",
     "The kernel's own statistics say what it does: 'vitals top'."},
    {"sched", "vcpu", "steal_ns",
     "Time that the vCPU's thread was ready to run and had to wait for a CPU. A wait is counted when "
     "it ends. The guest sees it as steal time, if it is told.",
     "Bad: what runs in the guest stands still, and a vCPU that holds a lock makes the others "
     "wait.",
     "If throttled_ns of the VM grows too, it is a quota of its own. Else others take the CPU: run "
     "fewer vCPUs on the host, pin them to CPUs, or give the VM more weight (cpu.weight)."},
    {"sched", "vcpu", "timeslices", "Times that the vCPU's thread got a CPU.",
     "Not bad by itself. run_ns divided by it is how long it keeps one.",
     "Look at voluntary_switches and involuntary_switches for why it lost it."},
    {"sched", "vcpu", "user_ns",
     "Part of run_ns that went to the guest and to the VMM's own code. The kernel measures the "
     "whole, and estimates the parts at its ticks: they need not add up.",
     "Not bad by itself: the time of the guest is here.", "Compare with system_ns."},
    {"sched", "vcpu", "system_ns",
     "Part of run_ns that the host's kernel used for the vCPU, such as handling exits and polling "
     "when it halts.",
     "Much of it is bad: it is time that the guest did not get.",
     "Look at exits and the halt_poll statistics of provider kvm for the cause."},
    {"sched", "vcpu", "voluntary_switches",
     "Times that the vCPU's thread gave its CPU up because it had to wait, such as for an "
     "interrupt after the guest halted.",
     "A high rate means short sleeps, each of which costs some time to wake up.",
     "See halt_exits; halt polling and, in the guest, fewer timers make them fewer."},
    {"sched", "vcpu", "involuntary_switches",
     "Times that the CPU was taken away from the vCPU's thread, for another thread or because its "
     "time was over.",
     "Bad: the vCPU had more to do. steal_ns says how long it waited.",
     "As of steal_ns: fewer vCPUs, pinning, or more weight."},
    {"sched", "vcpu", "last_cpu",
     "The CPU of the host on which the vCPU's thread runs, or ran last. CPUs are numbered from 0.",
     "Not bad by itself. One that changes often costs caches, and memory that is far away on "
     "another NUMA node.",
     "Pin vCPUs to CPUs near to their memory (vcpupin of libvirt, taskset)."},

    /* ---- demo ------------------------------------------------------------------------------- */
    {"demo", "vm", "demo_memory", "Size of the memory of the guest of 'vitals demo'.",
     "Never: it does not change.", "Nothing."},
    {"demo", "vm", "demo_dirty_peak",
     "Most guest memory that was written between two ticks of the demo.",
     "Never: it only shows what a peak looks like.", "Nothing."},
    {"demo", "vm", "demo_ticks", "Ticks of the demo's main loop.",
     "Never. If it stands still, the demo has stopped working.", "Nothing."},
    {"demo", "vm", "demo_uptime", "Time since the demo started, pauses included.", "Never.",
     "Nothing."},
    {"demo", "vcpu", "demo_exits_handled", "Times that the demo had to do something for the vCPU.",
     "Never: its guest makes them on purpose.",
     "Compare with 'exits' of the provider kvm: KVM handles most of those itself."},
    {"demo", "vcpu", "demo_exits_per_tick",
     "Ticks of the demo by the number of exits that it handled in them.",
     "Never: it only shows what a linear histogram looks like.", "Nothing."},
};

const size_t n_explanations = sizeof(explanations) / sizeof(explanations[0]);

const struct explanation *explanation_find(const char *provider, const char *target,
                                           const char *name)
{
    for (size_t i = 0; i < n_explanations; i++) {
        const struct explanation *found = &explanations[i];

        if (!strcmp(found->name, name) && !strcmp(found->provider, provider) &&
            !strcmp(found->target, target))
            return found;
    }
    return NULL;
}

/* ---- statistics that belong together -------------------------------------------------------- */

const char *kvm_sum_of_histogram(const char *name)
{
    static const char *const sums[][2] = {
        {"halt_wait_hist", "halt_wait_ns"},
        {"halt_poll_success_hist", "halt_poll_success_ns"},
        {"halt_poll_fail_hist", "halt_poll_fail_ns"},
    };

    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        if (!strcmp(sums[i][0], name))
            return sums[i][1];
    return NULL;
}

/* The suffixes are those of x86, and of 64-bit Arm and RISC-V. */
bool kvm_is_cause_of_exits(const char *name)
{
    static const char *const names[] = {"hypercalls", "mmio_exit_kernel", "mmio_exit_user",
                                        "pf_taken"};
    static const char *const suffixes[] = {"_exits", "_exit_stat"};

    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return true;
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        size_t len = strlen(name), n = strlen(suffixes[i]);

        if (len > n && !strcmp(name + len - n, suffixes[i]))
            return strcmp(name, "sum_exits") != 0;
    }
    return false;
}

/* ---- figures -------------------------------------------------------------------------------- */

#define OF_VCPUS .provider = "kvm", .target = "vcpu"
#define OF_TASKS .provider = "sched", .target = "vcpu", .kind = FIGURE_SHARE
#define OF_VM    .provider = "sched", .target = "vm"

/* clang-format off */
/* The kernel adds a halt to its time when it ends. */
const struct figure figures[] = {
    {"CPU", OF_TASKS, .names = {"run_ns"}, .rank = 1},
    {"STEAL", OF_TASKS, .names = {"steal_ns"}, .rank = 2},
    {"THROTTLED", OF_VM, .kind = FIGURE_SHARE, .names = {"throttled_ns"}, .rank = 7},
    {"POLL", OF_VCPUS, .kind = FIGURE_SHARE, .names = {"halt_poll_success_ns", "halt_poll_fail_ns"},
     .rank = 8},
    {"IDLE", OF_VCPUS, .kind = FIGURE_SHARE, .names = {"halt_wait_ns"}, .rank = 3,
     .goes_on = KVM_BLOCKING},
    {"EXITS", OF_VCPUS, .names = {"exits"}, .rank = 0},
    {"IO+MMIO", OF_VCPUS, .names = {"io_exits", "mmio_exits", "mmio_exit_user"}, .rank = 4},
    {"IRQS", OF_VCPUS, .names = {"irq_injections"}, .rank = 5},
    {"HALTS", OF_VCPUS, .names = {"halt_exits"}, .rank = 6},
    {"FAULTS", OF_VCPUS, .names = {"pf_taken"}, .rank = 9},
    {"EMULATED", OF_VCPUS, .names = {"insn_emulation"}, .rank = 10},
    {"SIGNALS", OF_VCPUS, .names = {"signal_exits"}, .rank = 11},
    {"MEMORY", OF_VM, .kind = FIGURE_BYTES, .names = {"resident_bytes"}, .rank = 12},
};
/* clang-format on */

const size_t n_figures = COUNT(figures);
_Static_assert(COUNT(figures) <= FIGURES_MAX, "FIGURES_MAX is too small");

static bool has_name(const struct figure *figure, const char *name)
{
    for (size_t i = 0; i < FIGURE_NAMES_MAX && figure->names[i]; i++)
        if (!strcmp(figure->names[i], name))
            return true;
    return false;
}

int figure_of_stat(const char *provider, const char *target, const char *name)
{
    for (size_t i = 0; i < n_figures; i++)
        if (!strcmp(figures[i].provider, provider) && !strcmp(figures[i].target, target) &&
            has_name(&figures[i], name))
            return (int)i;
    return -1;
}

bool sched_is_last_cpu(const char *provider, const char *name)
{
    return !strcmp(provider, "sched") && !strcmp(name, "last_cpu");
}

static bool goes_on_for_figure(const char *provider, const char *target, const char *name)
{
    for (size_t i = 0; i < n_figures; i++)
        if (figures[i].goes_on && !strcmp(figures[i].goes_on, name) &&
            !strcmp(figures[i].provider, provider) && !strcmp(figures[i].target, target))
            return true;
    return false;
}

bool lists_need_stat(const char *provider, const char *target, const char *name)
{
    return figure_of_stat(provider, target, name) >= 0 ||
           goes_on_for_figure(provider, target, name) || sched_is_last_cpu(provider, name);
}
