//! One thread that plays all callers and all callees, at a rate that doesn't wait for the server.

use crate::server::{self, CALLEE, CALLEE_PORT, CALLER, Server};
use crate::sip;
use crate::times::Times;
use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// RFC 3261 §17.1.1.2: T1, and how often it doubles before a call is given up.
const T1: Duration = Duration::from_millis(500);
const TRIES: u32 = 6;

pub struct Load {
    /// Calls begun a second.
    pub rate: f64,
    pub calls: usize,
    /// From the answer to BYE.
    pub hold: Duration,
}

pub struct Outcome {
    pub calls: usize,
    pub failed: usize,
    pub retransmissions: usize,
    pub cpu_ms_per_call: f64,
    /// From INVITE to 200.
    pub setup_ms: Times,
    /// How late the load itself was to begin each call.
    pub late_ms: Times,
}

impl Outcome {
    /// At most one in a thousand failed, and set-up isn't a matter of retransmissions.
    pub fn holds(&self) -> bool {
        self.failed * 1_000 <= self.calls && self.setup_ms.at(0.99) < 500.0
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Inviting,
    Talking,
    Leaving,
    Over,
}

struct Call {
    stage: Stage,
    began: Instant,
    answered: Option<Instant>,
    /// The request that has no answer yet, or the 200 that made the dialog.
    text: String,
    tries: u32,
}

/// A look at a call that is due: a copy of its request, or its end.
struct Due {
    at: Instant,
    call: usize,
    stage: Stage,
}

struct Run<'a> {
    server: &'a Server,
    caller: UdpSocket,
    callee: UdpSocket,
    calls: Vec<Call>,
    /// Each in the order of its times, since each has one delay only.
    ends: VecDeque<Due>,
    copies: Vec<VecDeque<Due>>,
    established: usize,
    over: usize,
    failed: usize,
    retransmissions: usize,
    setups: Vec<f64>,
    late: Vec<f64>,
    hold: Duration,
}

impl Load {
    pub fn run(&self, server: &Server) -> Outcome {
        self.run_with(server, |_| {})
    }

    /// `look` is told of each call that is established, how many were by then.
    pub fn run_with(&self, server: &Server, mut look: impl FnMut(usize)) -> Outcome {
        let _ = server::pin(1);
        let mut run = Run::new(server, self);
        let cpu = server.cpu();
        let began = Instant::now();
        let mut told = 0;
        while run.over < self.calls {
            let now = Instant::now();
            let due = ((now - began).as_secs_f64() * self.rate) as usize;
            while run.calls.len() < due.min(self.calls) {
                let at = began + Duration::from_secs_f64((run.calls.len() + 1) as f64 / self.rate);
                run.late.push((now - at).as_secs_f64() * 1_000.0);
                run.begin(now);
            }
            run.look_at_timers(now);
            let heard = run.hear();
            while told < run.established {
                told += 1;
                look(told);
            }
            if !heard {
                run.wait();
            }
        }
        let cpu = server.cpu() - cpu;
        Outcome {
            calls: self.calls,
            failed: run.failed,
            retransmissions: run.retransmissions,
            cpu_ms_per_call: cpu.as_secs_f64() * 1_000.0 / self.calls as f64,
            setup_ms: Times::from_unsorted(run.setups),
            late_ms: Times::from_unsorted(run.late),
        }
    }
}

impl<'a> Run<'a> {
    fn new(server: &'a Server, load: &Load) -> Run<'a> {
        Run {
            server,
            caller: socket((CALLER, 0)),
            callee: socket((CALLEE, CALLEE_PORT)),
            calls: Vec::with_capacity(load.calls),
            ends: VecDeque::new(),
            copies: (0..TRIES).map(|_| VecDeque::new()).collect(),
            established: 0,
            over: 0,
            failed: 0,
            retransmissions: 0,
            setups: Vec::with_capacity(load.calls),
            late: Vec::with_capacity(load.calls),
            hold: load.hold,
        }
    }

    fn begin(&mut self, now: Instant) {
        let call = self.calls.len();
        let local = local(&self.caller);
        let media = std::net::SocketAddr::new(local.ip(), 30_000 + (call % 15_000) as u16 * 2);
        let text = sip::invite(self.server.address, local, call, &sip::description(media));
        send(&self.caller, &text, self.server.address);
        self.calls.push(Call { stage: Stage::Inviting, began: now, answered: None, text, tries: 0 });
        self.copies[0].push_back(Due { at: now + T1, call, stage: Stage::Inviting });
    }

    fn look_at_timers(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|due| due.at <= now) {
            let Some(Due { call, .. }) = self.ends.pop_front() else { break };
            self.leave(now, call);
        }
        for round in 0..self.copies.len() {
            while self.copies[round].front().is_some_and(|due| due.at <= now) {
                let Some(due) = self.copies[round].pop_front() else { break };
                self.send_again(now, &due);
            }
        }
    }

    fn send_again(&mut self, now: Instant, due: &Due) {
        let call = &mut self.calls[due.call];
        if call.stage != due.stage {
            return;
        }
        call.tries += 1;
        if call.tries >= TRIES {
            call.stage = Stage::Over;
            self.failed += 1;
            self.over += 1;
            return;
        }
        self.retransmissions += 1;
        send(&self.caller, &call.text, self.server.address);
        let at = now + T1 * 2u32.pow(call.tries);
        self.copies[call.tries as usize].push_back(Due { at, ..*due });
    }

    fn leave(&mut self, now: Instant, number: usize) {
        let local = local(&self.caller);
        let call = &mut self.calls[number];
        if call.stage != Stage::Talking {
            return;
        }
        call.text = sip::within(&call.text, "BYE", 2, &format!("b{number}"), local);
        call.stage = Stage::Leaving;
        call.tries = 0;
        send(&self.caller, &call.text, self.server.address);
        self.copies[0].push_back(Due { at: now + T1, call: number, stage: Stage::Leaving });
    }

    /// Whether anything was there.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 8_192];
        let mut heard = false;
        for _ in 0..64 {
            let Ok((length, from)) = self.callee.recv_from(&mut buffer) else { break };
            heard = true;
            self.called(std::str::from_utf8(&buffer[..length]).unwrap_or_default(), from);
        }
        for _ in 0..64 {
            let Ok(length) = self.caller.recv(&mut buffer) else { break };
            heard = true;
            self.answered(std::str::from_utf8(&buffer[..length]).unwrap_or_default());
        }
        heard
    }

    fn called(&mut self, request: &str, from: std::net::SocketAddr) {
        let local = local(&self.callee);
        if request.starts_with("INVITE") {
            let Some(call) = called(request) else { return };
            let tag = format!("b{call}");
            send(&self.callee, &sip::answer(request, "180 Ringing", &tag, local, ""), from);
            let media = std::net::SocketAddr::new(local.ip(), 30_000 + (call % 15_000) as u16 * 2);
            send(&self.callee, &sip::answer(request, "200 OK", &tag, local, &sip::description(media)), from);
        } else if request.starts_with("BYE") || request.starts_with("OPTIONS") {
            send(&self.callee, &sip::answer(request, "200 OK", "b", local, ""), from);
        }
    }

    fn answered(&mut self, response: &str) {
        let number: Option<usize> =
            sip::header(response, "Call-ID").and_then(|id| id.strip_prefix('c')?.split('@').next()?.parse().ok());
        let Some(number) = number else { return self.asked(response) };
        let status: u16 = response.get(8..11).and_then(|it| it.parse().ok()).unwrap_or_default();
        if status < 200 {
            return;
        }
        let is_invite = sip::header(response, "CSeq").is_some_and(|it| it.ends_with("INVITE"));
        let local = local(&self.caller);
        let Some(call) = self.calls.get_mut(number) else { return };
        if is_invite && status < 300 {
            let ack = sip::within(response, "ACK", 1, &format!("k{number}"), local);
            send(&self.caller, &ack, self.server.address);
        }
        match (call.stage, is_invite, status) {
            (Stage::Inviting, true, 200..=299) => {
                let now = Instant::now();
                call.stage = Stage::Talking;
                call.answered = Some(now);
                call.text = response.to_owned();
                self.setups.push((now - call.began).as_secs_f64() * 1_000.0);
                self.established += 1;
                self.ends.push_back(Due { at: now + self.hold, call: number, stage: Stage::Talking });
            }
            (Stage::Inviting, true, _) => {
                call.stage = Stage::Over;
                self.failed += 1;
                self.over += 1;
            }
            (Stage::Leaving, false, _) => {
                call.stage = Stage::Over;
                call.text = String::new();
                if status >= 300 {
                    self.failed += 1;
                }
                self.over += 1;
            }
            _ => {}
        }
    }

    /// The caller is asked whether it is there.
    fn asked(&mut self, request: &str) {
        if request.starts_with("OPTIONS") {
            let answer = sip::answer(request, "200 OK", "a", local(&self.caller), "");
            send(&self.caller, &answer, self.server.address);
        }
    }

    /// Sleeps until one of the sockets has something, a moment at most.
    fn wait(&self) {
        use std::os::fd::AsRawFd;
        let poll = |socket: &UdpSocket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut both = [poll(&self.caller), poll(&self.callee)];
        // SAFETY: the array outlives the call, and its length is given.
        unsafe { libc::poll(both.as_mut_ptr(), 2, 1) };
    }
}

fn socket(address: (std::net::Ipv4Addr, u16)) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{}:{}: {error}", address.0, address.1));
    socket.set_nonblocking(true).expect("a socket can be made not to wait");
    let socket = socket2::Socket::from(socket);
    let _ = socket.set_recv_buffer_size(8 << 20);
    socket.into()
}

fn local(socket: &UdpSocket) -> std::net::SocketAddr {
    socket.local_addr().expect("a socket has an address")
}

fn send(socket: &UdpSocket, text: &str, to: std::net::SocketAddr) {
    // What the kernel has no room for is lost, and sent again.
    let _ = socket.send_to(text.as_bytes(), to);
}

/// The call that an INVITE is of, by the number that it calls.
fn called(request: &str) -> Option<usize> {
    let uri = request.split(' ').nth(1)?;
    uri.strip_prefix("sip:9")?.get(..7)?.parse().ok()
}
