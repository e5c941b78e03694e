// SPDX-License-Identifier: MIT
// A VMM in Rust, without a crate: a provider that is asked when somebody asks, and a server in a thread
// of its own. No panic may leave collect(), as no exception may in C++.
//
//      rustc provider.rs -l vitals && ./provider /tmp/vm.sock      it ends with its standard input
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

type Handle = *mut c_void; // what only the library looks into
extern "C" {
    fn vitals_ctx_options_new(name: *const c_char) -> Handle;
    fn vitals_listen_options_new(path: *const c_char, dialect: c_int, providers: *const c_char) -> Handle;
    fn vitals_options_free(options: Handle);
    fn vitals_group_ops_new(provider: *const c_char, target: *const c_char,
        collect: extern "C" fn(Handle, Handle) -> c_int, release: Option<extern "C" fn(Handle)>, opaque: Handle) -> Handle;
    fn vitals_group_ops_add(ops: Handle, name: *const c_char, help: *const c_char, kind: c_int, unit: c_int,
        base: c_int, exponent: c_int, count: u32, bucket_size: u32) -> c_int;
    fn vitals_group_ops_free(ops: Handle);
    fn vitals_ctx_new(options: Handle, ctx: *mut Handle) -> c_int;
    fn vitals_register(ctx: Handle, ops: Handle, group: *mut Handle) -> c_int;
    fn vitals_row(sink: Handle, object: *const c_char) -> *mut u64;
    fn vitals_server_new(options: Handle, server: *mut Handle) -> c_int;
    fn vitals_server_listen(server: Handle, ctx: Handle, options: Handle, listener: *mut Handle) -> c_int;
    fn vitals_server_start(server: Handle) -> c_int;
    fn vitals_server_free(server: Handle);
    fn vitals_ctx_free(ctx: Handle) -> c_int;
}
const NULL: Handle = std::ptr::null_mut();
static LINES: AtomicU64 = AtomicU64::new(0);

extern "C" fn collect(_opaque: Handle, sink: Handle) -> c_int {
    let row = unsafe { vitals_row(sink, std::ptr::null()) };
    if !row.is_null() { unsafe { *row = LINES.load(Ordering::Relaxed) } }
    0
}

fn main() {
    let text = |text: &str| CString::new(text).unwrap();
    let path = text(&std::env::args().nth(1).expect("usage: provider SOCKET"));
    let (name, provider, vm, stat) = (text("rust"), text("input"), text("vm"), text("input_lines"));
    let (mut ctx, mut server) = (NULL, NULL);
    unsafe {
        let options = vitals_ctx_options_new(name.as_ptr());
        assert_eq!(vitals_ctx_new(options, &mut ctx), 0);
        let ops = vitals_group_ops_new(provider.as_ptr(), vm.as_ptr(), collect, None, NULL);
        assert_eq!(vitals_group_ops_add(ops, stat.as_ptr(), std::ptr::null(), 0, 0, 10, 0, 1, 0), 0);
        assert_eq!(vitals_register(ctx, ops, std::ptr::null_mut()), 0);
        vitals_group_ops_free(ops);
        let listen = vitals_listen_options_new(path.as_ptr(), 0, std::ptr::null());
        assert_eq!(vitals_server_new(NULL, &mut server), 0);
        assert_eq!(vitals_server_listen(server, ctx, listen, std::ptr::null_mut()), 0);
        for memory in [options, listen] { vitals_options_free(memory) }
        assert_eq!(vitals_server_start(server), 0);
    }
    for _ in std::io::stdin().lines() { LINES.fetch_add(1, Ordering::Relaxed); }
    unsafe { vitals_server_free(server); vitals_ctx_free(ctx); } // the server before its contexts
}
