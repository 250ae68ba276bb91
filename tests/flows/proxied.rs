//! Trunks behind proxies: an outbound proxy, a Service-Route of the registrar, Path.

use crate::ladder::play_in;
use crate::world::Setting;
use tandem::config::settings::OutboundProxy;

fn proxied(setting: &mut Setting) {
    setting.account_at_acme();
    let proxy = OutboundProxy { host: "proxy.example".to_owned(), port: None };
    setting.trunk("acme").outbound_proxy = Some(proxy);
    setting.trunk("acme").host = "acme.example".to_owned();
    setting.dns = "
        proxy.example A 198.51.100.21
        acme.example A 198.51.100.11
    "
    .to_owned();
}

#[test]
fn all_goes_through_the_proxy() {
    play_in(
        |setting| {
            proxied(setting);
            setting.trunk("acme").register = true;
        },
        "
        tandem -> acme2 REGISTER [uri sip:acme.example | Route: <sip:proxy.example;lr>]
        acme2 -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600 | Service-Route: <sip:inner.example;lr>)
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme2 INVITE [uri sip:+14155550100@acme.example | Route: <sip:proxy.example;lr> | Route: <sip:inner.example;lr>]
        acme2 -> tandem 486
        tandem -> alice 486
        end all
        tandem -> acme2 REGISTER [Expires: 0 | Route: <sip:proxy.example;lr>]
        acme2 -> tandem 200
        ",
    );
}

#[test]
fn calls_come_from_the_proxy_and_from_the_host_behind_it() {
    let call = |peer: &str| {
        format!(
            "
            {peer} -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | From: <sip:+14155550100@acme.example>)
            tandem -> alice INVITE
            alice -> tandem 486
            tandem -> {peer} 486
            record [caller trunk:acme]
            "
        )
    };
    play_in(proxied, &format!("alice registers\n{}\n{}", call("acme2"), call("acme")));
}

fn registered(setting: &mut Setting) {
    setting.account_at_acme();
    setting.trunk("acme").register = true;
    setting.trunk("acme").host = "acme.example".to_owned();
    setting.dns = "
        acme.example A 198.51.100.11
        calls.example A 198.51.100.22
    "
    .to_owned();
}

#[test]
fn a_registrar_says_where_calls_go() {
    play_in(
        registered,
        "
        tandem -> acme REGISTER [no Supported]
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=600 | Service-Route: <sip:calls.example;lr>, <sip:inner.example;lr>)
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme3 INVITE [uri sip:+14155550100@acme.example | Route: <sip:calls.example;lr> | Route: <sip:inner.example;lr>]
        acme3 -> tandem 486
        tandem -> alice 486
        acme3 -> tandem INVITE sip:4711@192.0.2.1:5060 (sdp PCMA | From: <sip:+14155550100@acme.example> | To: <sip:carol@acme.example>)
        tandem -> acme3 404
        wait for acme
        tandem -> acme REGISTER
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [no Route]
        acme -> tandem 486
        tandem -> alice 486
        end all
        tandem -> acme REGISTER [Expires: 0]
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_registrar_that_wants_path_is_told_that_we_know_it() {
    play_in(
        registered,
        "
        tandem -> acme REGISTER [no Supported]
        acme -> tandem 421 (Require: path)
        tandem -> acme REGISTER [Supported: path]
        acme -> tandem 421 (Require: path)
        wait 10s
        quiet acme
        ",
    );
    play_in(
        |setting| {
            registered(setting);
            setting.trunk("acme").path = true;
        },
        "
        tandem -> acme REGISTER [Supported: path]
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600 | Path: <sip:edge.example;lr>)
        end all
        tandem -> acme REGISTER [Expires: 0]
        acme -> tandem 200
        ",
    );
}
