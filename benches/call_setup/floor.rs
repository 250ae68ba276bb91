//! What the machine itself does to a set-up time: datagrams that a thread on the server's core does nothing with but send
//! back, at the pace of calls.

use crate::server::{CORE, pin};
use crate::times::Times;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From the caller's INVITE to the 200 that it gets, an answered call passes through the server so many times.
const PASSES: usize = 2;

/// In milliseconds: [`PASSES`] round trips one after the other, begun `rate` times a second.
pub fn echo(rate: f64, seconds: f64) -> Times {
    let bind = || UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
    let (server, client) = (bind(), bind());
    let address = server.local_addr().expect("a bound socket");
    let timeout = Some(Duration::from_millis(500));
    for socket in [&server, &client] {
        socket.set_read_timeout(timeout).expect("a timeout");
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = pin(CORE);
            let mut bytes = [0; 1_500];
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((length, from)) = server.recv_from(&mut bytes) {
                    let _ = server.send_to(&bytes[..length], from);
                }
            }
        });
        let times = scope.spawn(|| {
            let _ = pin(1);
            let (mut bytes, began) = ([0; 1_500], Instant::now());
            let mut times = Vec::new();
            for number in 0..(rate * seconds) as u32 {
                let due = began + Duration::from_secs_f64(f64::from(number) / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                for _ in 0..PASSES {
                    let _ = client.send_to(&bytes[..500], address);
                    let _ = client.recv(&mut bytes);
                }
                times.push(sent.elapsed().as_secs_f64() * 1_000.0);
            }
            times
        });
        let times = times.join().expect("a client that doesn't panic");
        is_over.store(true, Ordering::Relaxed);
        Times::from_unsorted(times)
    })
}
