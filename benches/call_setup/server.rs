//! A server under load, on a core of its own: ours as a user starts it, or Kamailio.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The core that the server has. The load takes the next one.
pub const CORE: usize = 0;
pub const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Where the callee listens, on its address.
pub const CALLEE_PORT: u16 = 15_060;

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Server {
    /// The caller and the callee are trunks that are known by their addresses.
    pub fn tandem() -> Option<Server> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (sip, http) = (free_port(), free_port());
        let configuration = format!(
            "dialplan = \"plan.toml\"\n\
             [sip]\nudp = [\"127.0.0.1:{sip}\"]\ntcp = []\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n\
             [limits]\ncalls = 20000\ntransactions = 200000\nmedia_load = 0\n\
             [[trunk]]\nname = \"caller\"\nhost = \"{CALLER}\"\n\
             [[trunk]]\nname = \"callee\"\nhost = \"{CALLEE}\"\nport = {CALLEE_PORT}\n"
        );
        let plan = "[[rule]]\nname = \"Load\"\nfrom = [\"trunk:caller\"]\nregex = \"9\\\\d{7}\"\nto = [{ trunk = \"callee\" }]\n";
        write(folder.path(), "tandem.toml", &configuration);
        write(folder.path(), "plan.toml", plan);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(["run", "--config", "tandem.toml"]);
        Some(Server::start("tandem", command, folder, sip))
    }

    /// None where it isn't installed.
    pub fn kamailio() -> Option<Server> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let port = free_port();
        let mut text = String::new();
        for line in [
            "debug=1",
            "log_stderror=yes",
            "children=2",
            "auto_aliases=no",
            "disable_tcp=yes",
            "loadmodule \"tm.so\"",
            "loadmodule \"sl.so\"",
            "loadmodule \"rr.so\"",
            "loadmodule \"pv.so\"",
            "loadmodule \"maxfwd.so\"",
            "loadmodule \"siputils.so\"",
            "loadmodule \"textops.so\"",
        ] {
            let _ = writeln!(text, "{line}");
        }
        let _ = write!(
            text,
            "listen=udp:127.0.0.1:{port}\n\
             request_route {{\n\
               if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
               if (has_totag()) {{\n\
                 if (loose_route()) {{ t_relay(); exit; }}\n\
                 if (is_method(\"ACK\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
                 sl_send_reply(\"404\", \"Not Here\"); exit;\n\
               }}\n\
               t_check_trans();\n\
               if (is_method(\"INVITE\")) record_route();\n\
               $du = \"sip:{CALLEE}:{CALLEE_PORT}\";\n\
               t_relay();\n\
             }}\n"
        );
        write(folder.path(), "kamailio.cfg", &text);
        let program =
            ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            println!("kamailio is not installed (apt-get install kamailio): ours is measured alone");
            return None;
        };
        let mut command = Command::new(program);
        command.args(["-DD", "-E", "-m", "512", "-M", "32", "-P", "kamailio.pid", "-f", "kamailio.cfg"]);
        Some(Server::start("kamailio", command, folder, port))
    }

    fn start(name: &'static str, mut command: Command, folder: TempDir, port: u16) -> Server {
        let log = std::fs::File::create(folder.path().join("log")).expect("a log can be made");
        let errors = log.try_clone().expect("a log can be shared");
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors).env("RUST_LOG", "warn");
        // SAFETY: between fork and exec, and it only asks the kernel for a core, and to die with the bench.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                pin(CORE)
            });
        }
        let process = command.spawn().unwrap_or_else(|error| panic!("{name} doesn't start: {error}"));
        let server = Server { name, address: SocketAddr::from(([127, 0, 0, 1], port)), process, _folder: folder };
        server.await_answer();
        server
    }

    fn await_answer(&self) {
        let socket = UdpSocket::bind((CALLER, 0)).expect("a port is free");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out can be set");
        let local = socket.local_addr().expect("a socket has an address");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(15) {
            let request = format!(
                "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{1}\r\nMax-Forwards: 0\r\n\
                 From: <sip:bench@{local}>;tag=1\r\nTo: <sip:{0}>\r\nCall-ID: ready-{1}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n",
                self.address,
                began.elapsed().as_nanos(),
            );
            let _ = socket.send_to(request.as_bytes(), self.address);
            if socket.recv_from(&mut [0; 4096]).is_ok() {
                return;
            }
        }
        panic!("{} doesn't answer at {}: see {}", self.name, self.address, self._folder.path().join("log").display());
    }

    /// CPU time of all its threads and processes since they began.
    pub fn cpu(&self) -> Duration {
        // SAFETY: asks for a constant of the system.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        let of = |process: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let field = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
            field(11) + field(12)
        };
        Duration::from_secs_f64(self.processes().into_iter().map(of).sum::<f64>() / ticks)
    }

    pub fn resident_kib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    fn processes(&self) -> Vec<u32> {
        let parent = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        std::iter::once(parent).chain(children.split_whitespace().filter_map(|it| it.parse().ok())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in self.processes().into_iter().rev() {
            // SAFETY: a signal to processes of ours.
            unsafe { libc::kill(process as i32, libc::SIGKILL) };
        }
        let _ = self.process.wait();
    }
}

/// Keeps the calling thread, and what it starts, on a core, as far as the machine has it.
pub fn pin(core: usize) -> std::io::Result<()> {
    // SAFETY: the set is a plain value that the kernel reads.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
    Ok(())
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket.local_addr().expect("a socket has an address").port()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file can be written");
}
