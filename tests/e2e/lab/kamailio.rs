//! Kamailio, as two that stand before a gateway: a provider (one account, which registers and calls with digest
//! authentication; the telephone network behind it is one address), and an edge, the proxy through which phones speak.

use super::net::Net;
use super::program::{Program, need};
use super::wait::seconds;
use std::net::Ipv4Addr;
use std::process::Command;
use tempfile::TempDir;

pub const REALM: &str = "provider.test";
pub const USERNAME: &str = "4711";
pub const PASSWORD: &str = "carrier-secret";

pub struct Kamailio {
    host: Ipv4Addr,
    config: String,
    folder: TempDir,
    process: Program,
}

impl Kamailio {
    /// Starts a provider at `host`. What the subscriber calls goes to port 5060 of `network`, and calls from there go to
    /// the subscriber with the called number kept.
    #[track_caller]
    pub fn provider(net: Net, host: u8, network: u8) -> Kamailio {
        Kamailio::start(net.host(host), provider(net.host(host), net.host(network)))
    }

    /// Starts an edge at `host` before the gateway of the net, with which it speaks by `transport` (`udp` or `tcp`). It
    /// keeps the state of transactions, puts itself into Path and Record-Route, and prints what passes through it within
    /// dialogs, as `inside: METHOD from ADDRESS`.
    #[track_caller]
    pub fn edge(net: Net, host: u8, transport: &str) -> Kamailio {
        Kamailio::start(net.host(host), edge(net.host(host), net.gateway(), transport))
    }

    #[track_caller]
    fn start(host: Ipv4Addr, config: String) -> Kamailio {
        need("kamailio", "kamailio");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let process = launch(&config, &folder);
        Kamailio { host, config, folder, process }
    }

    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// Ends it as a crash would: it forgets who is registered.
    pub fn stop(&mut self) {
        self.process.end();
    }

    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = launch(&self.config, &self.folder);
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Killed outright, the first process would leave its children behind.
        self.process.end();
        if std::thread::panicking() {
            eprintln!("Kamailio's log:\n{}", self.log());
        }
    }
}

#[track_caller]
fn launch(config: &str, folder: &TempDir) -> Program {
    let path = folder.path();
    std::fs::write(path.join("kamailio.cfg"), config).expect("the folder can be written");
    let log = path.join("log");
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new("env");
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", search).args(["kamailio", "-DD", "-E", "-m", "32", "-f"]).arg(path.join("kamailio.cfg"));
    command.arg("-Y").arg(path);
    let process = Program::start(command, log);
    process.await_log("Listening on", seconds(10));
    process
}

/// What both are made of.
fn base(host: Ipv4Addr) -> String {
    format!(
        r#"#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
listen=udp:{host}:5060
listen=tcp:{host}:5060
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
"#
    )
}

fn provider(host: Ipv4Addr, network: Ipv4Addr) -> String {
    let own = format!(
        r#"alias="{REALM}"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("auth", "nonce_expire", 20)
modparam("registrar", "min_expires", 30)
modparam("registrar", "max_expires", 3600)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("481", "Call/Transaction Does Not Exist"); exit;
    }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if ($tU != "{USERNAME}") {{ sl_send_reply("404", "Not Found"); exit; }}
        if (!pv_www_authenticate("{REALM}", "{PASSWORD}", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
        save("location"); exit;
    }}
    if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    if ($si == "{network}") {{
        # A call from the telephone network to the subscriber.
        record_route();
        $var(number) = $rU;
        $ru = "sip:{USERNAME}@{REALM}";
        if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
        $rU = $var(number);
        t_relay(); exit;
    }}
    if (!pv_proxy_authenticate("{REALM}", "{PASSWORD}", "0")) {{ proxy_challenge("{REALM}", "1"); exit; }}
    if ($au != "{USERNAME}") {{ sl_send_reply("403", "Forbidden"); exit; }}
    consume_credentials();
    record_route();
    $ru = "sip:" + $rU + "@{network}:5060";
    t_relay();
}}
"#
    );
    base(host) + &own
}

fn edge(host: Ipv4Addr, gateway: Ipv4Addr, transport: &str) -> String {
    let own = format!(
        r#"loadmodule "path.so"
loadmodule "xlog.so"
modparam("rr", "enable_full_lr", 1)
tcp_source_ipv4={host}
modparam("path", "enable_r2", 1)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ xlog("L_NOTICE", "inside: $rm from $si\n"); t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("481", "Call/Transaction Does Not Exist"); exit;
    }}
    if ($si == "{gateway}") {{
        # To a phone, by the Path that its registration left.
        loose_route();
        record_route();
        t_relay(); exit;
    }}
    # A phone may know already that it goes through here.
    loose_route();
    $du = "sip:{gateway}:5060;transport={transport}";
    if (is_method("REGISTER")) {{ add_path(); t_relay(); exit; }}
    record_route();
    t_relay();
}}
"#
    );
    base(host) + &own
}
