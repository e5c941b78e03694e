# SPDX-License-Identifier: MIT
# The front door: meson does the work. `make` lists the targets.

BUILD     ?= build
PACKAGES  := scripts/install_dependencies
CHECK     := scripts/check.py

.PHONY: help demo abi-record bench bench-blocking bench-fleet bench-hostile bench-kernel bench-page bench-scrape bench-verbs check check-deb check-emulated check-lockdown check-suites deps build install check-sanitizers chaos coverage deb fuzz format clean

help:
	@echo 'vitals: the statistics of virtual machines, over QMP'
	@echo
	@echo '  make demo              build, and show the main job on a real VM'
	@echo '  make check             build, and run all tests'
	@echo '  make build             build into $(BUILD)/'
	@echo '  make install           install what was built (DESTDIR, meson setup -Dprefix)'
	@echo '  make deb               Debian packages of what is committed, in build-deb/'
	@echo '  make deps              install the Debian packages for all of this'
	@echo
	@echo '  make check-emulated    the same without /dev/kvm: an emulated machine has one'
	@echo '  make check-lockdown    what is said where the kernel lets nobody read its memory'
	@echo '  make check-suites      the same in a bare Debian 12, and in 13; as root, with debootstrap'
	@echo '  make check-deb         make the packages, install and start them in a bare Debian 12, and in 13'
	@echo '  make check-sanitizers  all tests with ASan and UBSan, and again with TSan'
	@echo '  make coverage          which lines the tests without KVM run'
	@echo '  make bench             round trips beside the physical limit and QEMU, load, memory'
	@echo '  make bench-blocking    what a provider that blocks costs those who do not ask for it'
	@echo '  make bench-hostile     how long one client waits while others attack; as root for other users'
	@echo '  make bench-kernel      one pass over 1000 VMs, read from the kernel; as root'
	@echo '  make bench-fleet       the daemon beside 1000 VMs: start, queries, and how all goes away; as root'
	@echo '  make bench-page        how smooth the page of 100 VMs is, in chromium'
	@echo '  make bench-scrape      a scrape of 1000 VMs over HTTP, and who waits for it; as root'
	@echo '  make bench-verbs       what the verbs take that look at 1000 VMs through the daemon; as root'
	@echo '  make fuzz              each fuzz target for SECONDS=60'
	@echo '  make chaos             clients that do anything, for SECONDS=60: with ASan and UBSan, then with TSan'
	@echo '  make abi-record        what programs see of the library, which the tests compare with'
	@echo '  make format            clang-format on all C files'
	@echo '  make clean             remove all build directories'

demo:
	@$(PACKAGES) build
	@$(MAKE) --no-print-directory build
	@scripts/demo.py $(BUILD)/vitals

check:
	@$(PACKAGES) build check
	@$(MAKE) --no-print-directory build
	@$(CHECK) $(BUILD) $(CHECK_FLAGS)

# On a machine with /dev/kvm this is `make check`.
check-emulated:
	@$(PACKAGES) build check emulate
	@$(MAKE) --no-print-directory build
	@$(CHECK) $(BUILD) --emulate-kvm $(CHECK_FLAGS)

# In an emulated machine: no kernel that runs can be locked down and let go again.
check-lockdown:
	@$(PACKAGES) build check emulate
	@$(MAKE) --no-print-directory build
	@scripts/emulated_kvm.py --cache $(BUILD)/emulated-kvm --kernel-argument lockdown=confidentiality -- \
	env VITALS_BPF_READER=$(abspath $(BUILD))/tests/bpf-reader VITALS_MAKE_BTF=$(abspath $(BUILD))/tests/make-btf \
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/bpf -k 'this_host or nobody_tells'

SUITES ?= bookworm trixie

# What is committed.
check-suites:
	@scripts/check_suites $(SUITES)

deb:
	@scripts/build_deb

# In an emulated machine, as root, with debootstrap.
check-deb:
	@$(PACKAGES) emulate
	@scripts/check_deb $(SUITES)

deps:
	@$(PACKAGES) build check develop

build: $(BUILD)/build.ninja
	@meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_FLAGS)

# A directory that was set up without scdoc has no manual.
install:
	@$(PACKAGES) build
	@if [ -e $(BUILD)/build.ninja ]; then meson setup --reconfigure $(BUILD) >/dev/null; fi
	@$(MAKE) --no-print-directory build
	@meson install -C $(BUILD)

# The developer's configuration: build-dev.ini has the flags.
build-asan/build.ninja:
	@meson setup build-asan --native-file build-dev.ini -Db_sanitize=address,undefined

build-tsan/build.ninja:
	@meson setup build-tsan --native-file build-dev.ini -Db_sanitize=thread

# Both at a time: with sanitizers no test measures time, and each keeps one CPU busy.
check-sanitizers: build-asan/build.ninja build-tsan/build.ninja
	@meson compile -C build-asan
	@meson compile -C build-tsan
	@$(CHECK) build-tsan $(CHECK_FLAGS) >build-tsan/check.log 2>&1 & thread=$$!; \
	$(CHECK) build-asan $(CHECK_FLAGS); address=$$?; \
	wait $$thread; thread=$$?; \
	cat build-tsan/check.log; exit $$((address || thread))

build-coverage/build.ninja:
	@meson setup build-coverage -Db_coverage=true -Dbuildtype=debug

# What was counted before is dropped, so that the figures are those of this run.
coverage: build-coverage/build.ninja
	@$(PACKAGES) build check develop
	@meson compile -C build-coverage
	@find build-coverage -name '*.gcda' -delete
	@$(CHECK) build-coverage --suite unit --suite wire
	@$(GCOVR) --filter src/
	@$(GCOVR) --filter src/qmp/ --fail-under-line 95 --print-summary

GCOVR := gcovr --root . --object-directory build-coverage build-coverage

build-fuzz/build.ninja:
	@CC=clang meson setup build-fuzz --native-file build-dev.ini -Dfuzz=true

fuzz: build-fuzz/build.ninja
	@meson compile -C build-fuzz
	@fuzz/run build-fuzz $(SECONDS)

# Half of the time as on a kernel without SO_PASSRIGHTS.
chaos: build-asan/build.ninja build-tsan/build.ninja
	@meson compile -C build-asan
	@meson compile -C build-tsan
	@tests/hostile/chaos.py build-asan --seconds $(SECONDS)
	@tests/hostile/chaos.py build-tsan --seconds $(SECONDS)

SECONDS ?= 60

abi-record:
	@$(PACKAGES) build check
	@$(MAKE) --no-print-directory build
	@scripts/abi.py record $(BUILD)/src/libvitals.so.0 include/vitals >$(BUILD)/libvitals.abi
	@mv $(BUILD)/libvitals.abi tests/abi/libvitals-0.1.abi

format:
	@git ls-files '*.c' '*.h' ':!tests/qapi/good' | xargs clang-format -i

bench:
	@$(PACKAGES) build bench
	@$(MAKE) --no-print-directory build
	@bench/bench.py $(BUILD) $(BENCH_FLAGS)

bench-blocking:
	@$(MAKE) --no-print-directory build
	@$(BUILD)/bench/bench-blocking

bench-hostile:
	@$(MAKE) --no-print-directory build
	@bench/hostile.py $(BUILD) $(BENCH_FLAGS)

# Needs root: one pass over the VMs of a host.
bench-kernel:
	@$(PACKAGES) build
	@$(MAKE) --no-print-directory build
	@bench/kernel.py $(BUILD)

bench-page:
	@$(PACKAGES) check
	@bench/page.py

# Needs root, too.
bench-fleet:
	@$(PACKAGES) build check
	@$(MAKE) --no-print-directory build
	@bench/fleet.py $(BUILD) $(BENCH_FLAGS)

# Needs root, too.
bench-scrape:
	@$(PACKAGES) build check
	@$(MAKE) --no-print-directory build
	@bench/scrape.py $(BUILD) $(BENCH_FLAGS)

# Needs root, too.
bench-verbs:
	@$(PACKAGES) build check
	@$(MAKE) --no-print-directory build
	@bench/verbs.py $(BUILD) $(BENCH_FLAGS)

clean:
	rm -rf build build-asan build-tsan build-fuzz build-coverage build-arm64 build-deb build-suites
