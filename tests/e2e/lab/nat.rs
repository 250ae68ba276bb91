//! A house behind a NAT, made of network namespaces: the house, its router, and the world where the gateway is. They are
//! nameless, so that they go when nobody is in them any more, however the test ends.

use super::program::{need, run};
use super::quiet;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

/// Where the gateway is for those behind the NAT.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Where the router is, for the world and for the house.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 44, 1);
/// Two phones of the house.
pub const HOUSE: Ipv4Addr = Ipv4Addr::new(192, 168, 44, 10);
pub const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(192, 168, 44, 11);

pub struct Nat {
    world: File,
    router: File,
    house: File,
    /// Where this thread was before.
    before: File,
}

impl Nat {
    /// Builds it, and takes this thread and the programs that it starts into the world. None where this process may not,
    /// which is said where a person reads it. The router forgets who was silent for `memory`.
    #[track_caller]
    pub fn build(memory: Duration) -> Option<Nat> {
        need("ip", "iproute2");
        need("nft", "nftables");
        let before = own();
        let Some(world) = make() else {
            quiet::skipped("only root may make the network namespaces of a NAT");
            return None;
        };
        let nat = Nat { world, router: make()?, house: make()?, before };
        nat.wire(memory);
        enter(&nat.world);
        Some(nat)
    }

    /// Does something in the house, such as to start a program there.
    pub fn in_house<T>(&self, act: impl FnOnce() -> T) -> T {
        inside(&self.house, &self.world, act)
    }

    fn wire(&self, memory: Duration) {
        let seconds = memory.as_secs();
        enter(&self.router);
        for (near, far, to, address) in
            [("outside", "eth0", &self.world, OUTSIDE), ("inside", "eth0", &self.house, INSIDE)]
        {
            let far_namespace = format!("/proc/{}/fd/{}", std::process::id(), to.as_raw_fd());
            ip(&format!("link add {near} type veth peer name {far} netns {far_namespace}"));
            ip(&format!("address add {address}/24 dev {near}"));
            ip(&format!("link set {near} up"));
        }
        write("/proc/sys/net/ipv4/ip_forward", "1");
        // Ports are changed too, as by many a router.
        run(Command::new("nft").arg(
            "table ip nat { chain out { type nat hook postrouting priority srcnat;
                oif outside masquerade random
             }; };
             table ip filter { chain in { type filter hook forward priority filter; policy drop;
                iif inside accept
                ct state established,related accept
             }; };",
        ));
        for name in ["nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"] {
            write(&format!("/proc/sys/net/netfilter/{name}"), &seconds.to_string());
        }
        for (namespace, addresses) in [(&self.world, &[GATEWAY][..]), (&self.house, &[HOUSE, NEIGHBOUR])] {
            enter(namespace);
            for address in addresses {
                ip(&format!("address add {address}/24 dev eth0"));
            }
            ip("link set eth0 up");
        }
        ip(&format!("route add default via {INSIDE}"));
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        enter(&self.before);
    }
}

/// The namespace that this thread is in.
fn own() -> File {
    File::open("/proc/thread-self/ns/net").expect("a thread is in a namespace")
}

/// A new namespace with its loopback, in which this thread then is.
fn make() -> Option<File> {
    // SAFETY: unshare(2) takes a number, and with this one changes only where this thread's sockets are.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return None;
    }
    ip("link set lo up");
    Some(own())
}

fn enter(namespace: &File) {
    // SAFETY: setns(2) takes a descriptor that is open, and changes only where this thread's sockets are.
    let entered = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
}

fn inside<T>(there: &File, back: &File, act: impl FnOnce() -> T) -> T {
    enter(there);
    let result = act();
    enter(back);
    result
}

fn ip(words: &str) {
    run(Command::new("ip").args(words.split(' ')));
}

fn write(path: &str, value: &str) {
    std::fs::write(path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}
