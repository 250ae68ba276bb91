//! TLS and WebSocket between real programs: phones, a browser's socket, a provider with certificates on both sides.

use crate::crowd::THROUGH;
use crate::lab::baresip::{Account, Baresip};
use crate::lab::browser::Browser;
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::linphone::Linphone;
use crate::lab::net::Net;
use crate::lab::program::need;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A gateway that listens for TLS on its usual ports, with the certificate that it makes itself.
fn secure(net: Net, setup: Setup) -> Gateway {
    let host = net.gateway();
    let setup = setup.sip(&format!("tls = [\"{host}:5061\"]")).http(&format!("tls = \"{host}:8443\""));
    Gateway::start_in(net, &setup)
}

fn own_certificate(gateway: &Gateway) -> PathBuf {
    gateway.folder().join("data/tls/certificate.pem")
}

#[test]
fn phones_register_over_tls_and_call_each_other() {
    let _machine = quiet::beside_others();
    let gateway = secure(Net::new(), Setup::new().alice_and_bob());
    let over_tls = |account| Account { transport: "tls", ..account };
    let alice = Baresip::start(&gateway, 2, &over_tls(Account::ALICE), &Speech::alice().wav(8_000));
    let bob = Baresip::start(&gateway, 3, &over_tls(Account::BOB), &Speech::bob().wav(8_000));
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);
    alice.dial(&format!("sip:bob@{DOMAIN}"));
    wait::until("the call to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    bob.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["ended_by"], "callee", "{:#}", records[0]);
    let address = records[0]["legs"][1]["address"].as_str().unwrap_or_default();
    assert!(address.starts_with("tls:"), "{:#}", records[0]);
}

/// A server's certificate counts where it leads to the roots that are named, and nowhere else.
#[test]
fn a_script_calls_over_tls() {
    let _machine = quiet::beside_others();
    let gateway = secure(Net::new(), Setup::new().alice_and_bob());
    let certificate = own_certificate(&gateway);
    let ca = certificate.to_str().unwrap();
    let port = gateway.sip_over("tls");
    let uri = format!("sips:*43@{port}");
    let call = |more: &[&str]| {
        let words = ["call", &uri, "--user", "alice", "--password", "wonderland", "--for", "1s"];
        gateway.command(&[&words, more].concat()).output().expect("tandem call runs")
    };
    let output = call(&["--ca", ca]);
    assert!(output.status.success(), "{output:?}\n{}", gateway.log());
    let output = call(&[]);
    assert!(!output.status.success(), "no root of this machine has signed it: {output:?}");
    let records = gateway.closed_records(1, seconds(10));
    assert!(records[0]["legs"][0]["address"].as_str().unwrap_or_default().starts_with("tls:"), "{:#}", records[0]);
}

#[test]
fn linphone_speaks_over_tcp_and_over_tls() {
    let _machine = quiet::beside_others();
    let gateway = secure(Net::new(), Setup::new().alice_and_bob());
    let speech = Speech::bob().wav(8_000);
    let mut alice = Linphone::start_over("tls", &gateway, 3, "alice", "wonderland", "PCMA", &speech);
    let _bob = Linphone::start_over("tcp", &gateway, 4, "bob", "builder", "PCMA", &speech);
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);
    alice.dial(&format!("sip:bob@{DOMAIN}"));
    let calls = gateway.await_calls(1, seconds(10));
    wait::until("the call to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let id = calls[0]["id"].as_str().expect("a call has an id").to_owned();
    assert!(gateway.cli(&["hangup", &id]).status.success());
    let records = gateway.closed_records(1, seconds(10));
    assert!(records[0]["legs"][1]["address"].as_str().is_some_and(|address| address.starts_with("tcp:")));
}

#[test]
fn a_browser_is_called_over_the_socket_that_it_opened() {
    let _machine = quiet::beside_others();
    let gateway = secure(Net::new(), Setup::new().alice_and_bob());
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);
    for roots in [None, Some(own_certificate(&gateway))] {
        let mut bob = Browser::open(&gateway, "bob", roots.as_deref());
        bob.register("builder");
        gateway.await_registered("bob", 1);
        alice.dial(&format!("sip:bob@{DOMAIN}"));
        let invite = bob.receive();
        assert_eq!(invite.request_uri(), "sip:bob@x7f3.invalid;transport=ws");
        let via = invite.top_via().expect("it has a Via").transport.to_owned();
        assert_eq!(via, if roots.is_some() { "WSS" } else { "WS" });
        bob.answer(&invite, 486);
        assert_eq!(bob.receive().method().as_str(), "ACK");
        // Who closes the page can't be called any more.
        drop(bob);
        gateway.await_registered("bob", 0);
    }
    let records = gateway.closed_records(2, seconds(10));
    assert!(records.iter().all(|record| record["status"] == 486), "{records:#?}");
}

#[test]
fn calls_to_a_provider_that_knows_us_by_our_certificate() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (us, them) = (net.gateway(), net.host(9));
    let (our, their) = (certificate(folder.path(), us), certificate(folder.path(), them));
    let tls = |own: &Files, other: &Files, host: Ipv4Addr| {
        format!(
            "host = \"{host}\"\ntransport = \"tls\"\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             client_certificate = \"required\"",
            other.chain, own.chain, own.key
        )
    };
    let listening = |host: Ipv4Addr, files: &Files| {
        Setup::new()
            .sip(&format!("tls = [\"{host}:5061\"]\ncertificate = \"{}\"\nkey = \"{}\"", files.chain, files.key))
    };
    let near = listening(us, &our).peer("left", net.host(2)).trunk("right", &tls(&our, &their, them)).plan(THROUGH);
    let far = listening(them, &their).trunk("left", &tls(&their, &our, us)).peer("right", net.host(3)).plan(THROUGH);
    let far = Gateway::start_at(net, them, &far);
    let near = Gateway::start_in(net, &near);
    wait::until("the provider to be found", seconds(10), || (near.trunk("right")["up"] == true).then_some(()));

    let _right = Plan::callee(net, 3).start();
    let mut left = Plan::caller(net, 2, &near.sip(), "1000").calls(5, 5, seconds(1)).start();
    left.succeeded(seconds(30));
    let records = far.closed_records(5, seconds(10));
    assert!(records[0]["caller"].to_string().contains("trunk:left") || records[0].to_string().contains("trunk:left"));
    let address = near.closed_records(5, seconds(10))[0]["legs"][1]["address"].as_str().unwrap_or_default().to_owned();
    assert_eq!(address, format!("tls:{them}:5061"));

    // Without a certificate, its address is worth nothing, by whatever transport.
    let mut stranger = Plan::caller(net, 1, &format!("{them}:5060"), "1000").port(5070).calls(1, 1, seconds(1)).start();
    assert!(!stranger.ended(seconds(40)), "a call by UDP from the trunk's address was taken for the trunk's");
}

/// An operator's view: what `openssl` sees before and after a reload, and what the metrics say.
#[test]
fn certificates_are_replaced_by_a_reload() {
    need("openssl", "openssl");
    let _machine = quiet::beside_others();
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let files = certificate(folder.path(), net.gateway());
    let setup = Setup::new().sip(&format!("certificate = \"{}\"\nkey = \"{}\"", files.chain, files.key));
    let gateway = secure(net, setup);
    let shown = |port: u16| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("{}:{port}", net.gateway()), "-showcerts"]);
        let output = command.stdin(Stdio::null()).output().expect("openssl can be started");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let body = |pem: &str| pem.lines().nth(1).unwrap_or_default().to_owned();
    let before = body(&std::fs::read_to_string(&files.chain).expect("the file is there"));
    assert!([5061, 8443].iter().all(|&port| shown(port).contains(&before)));
    assert!(gateway.metric("tandem_certificate_expiry_seconds", "certificate=\"sip\"") > 1e6);

    // A key that doesn't fit is no reason to stop.
    std::fs::write(&files.chain, "nothing").expect("the folder can be written");
    assert!(!gateway.cli(&["reload"]).status.success());
    assert!(shown(5061).contains(&before));

    certificate(folder.path(), net.gateway());
    let after = body(&std::fs::read_to_string(&files.chain).expect("the file is there"));
    let output = gateway.cli(&["reload"]);
    assert!(output.status.success(), "{output:?}");
    for port in [5061, 8443] {
        let shown = shown(port);
        assert!(shown.contains(&after) && !shown.contains(&before), "{shown}");
    }
}

struct Files {
    chain: String,
    key: String,
}

fn certificate(folder: &Path, host: Ipv4Addr) -> Files {
    let made = rcgen::generate_simple_self_signed([host.to_string()]).expect("a certificate can be made");
    let path = |end: &str| folder.join(format!("{host}.{end}"));
    std::fs::write(path("pem"), made.cert.pem()).expect("the folder can be written");
    std::fs::write(path("key"), made.signing_key.serialize_pem()).expect("the folder can be written");
    Files { chain: path("pem").display().to_string(), key: path("key").display().to_string() }
}
