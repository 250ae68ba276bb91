//! How a call sounds, while it is up and afterwards, and what is said where only one side is heard.

use crate::lab::gateway::{Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::process::{Child, Stdio};

const OUT: &str = r#"
[[rule]]
name = "Out"
number = "1XXX"
to = [{ trunk = "right" }]

[[rule]]
name = "Echo"
number = "*43"
to = [{ echo = true }]
"#;

/// `tandem call` as alice, who speaks and hangs up by herself in the end.
fn call(gateway: &Gateway, number: &str, span: &str) -> Child {
    let uri = format!("sip:{number}@{}", gateway.net.gateway());
    let speech = Speech::alice().wav(8_000).display().to_string();
    let words = ["call", &uri, "--user", "alice", "--password", "wonderland", "--play", &speech, "--for", span];
    let mut command = gateway.command(&words);
    command.stdout(Stdio::null()).spawn().expect("tandem can be started")
}

fn setup(net: Net) -> Setup {
    Setup::new().sip("options_interval = \"0\"").alice_and_bob().peer("right", net.host(3)).plan(OUT)
}

/// What a subcommand prints, as text.
#[track_caller]
fn printed(gateway: &Gateway, words: &[&str]) -> String {
    let output = gateway.cli(words);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_callee_that_never_sends_is_noticed_and_explained() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &setup(net));
    // It answers, and knows nothing of sound.
    let _silent = Plan::built_in("uas", net.host(3).into()).start();
    let mut alice = call(&gateway, "1000", "9s");

    gateway.await_calls(1, seconds(10));
    let up = wait::until("the one-way call to be noticed", seconds(8), || {
        gateway.calls().into_iter().find(|call| !call["one_way"].is_null())
    });
    assert_eq!(up["one_way"], "from the caller only, from the answer on", "{up:#}");
    assert_eq!(up["silent_side"], "callee");
    let id = up["id"].as_str().expect("a call has an id");
    assert_eq!(gateway.api(&format!("/calls/{id}"))["id"], up["id"]);
    let listed: Value = serde_json::from_str(printed(&gateway, &["calls", "--json"]).trim()).expect("a call a line");
    assert_eq!(listed["one_way"], up["one_way"]);
    assert!(printed(&gateway, &["calls"]).contains("one way: from the caller only"));
    wait::until("the metric", seconds(5), || (gateway.gauge("tandem_calls_one_way") == 1.0).then_some(()));
    assert!(gateway.log().contains("only the caller is heard"), "{}", gateway.log());
    let advice = || {
        let text = printed(&gateway, &["explain", id]);
        text.contains("no sound of its was seen").then_some(text)
    };
    let text = wait::until("the record of a call that is up", seconds(5), advice);
    assert!(text.contains("what to look at where trunk:right isn't heard") && text.contains("firewall"), "{text}");

    assert!(alice.wait().expect("the call ends").success());
    let record = gateway.closed_records(1, seconds(10)).remove(0);
    assert_eq!(record["one_way"], "from the caller only, from the answer on", "{record:#}");
    let silent = &record["legs"][1];
    assert_eq!((&silent["media"]["received_packets"], &silent["unheard"][0]["has_spoken"]), (&0.into(), &false.into()));
    assert!(silent["announced"].as_str().is_some_and(|address| address.starts_with(&net.host(3).to_string())));
    wait::until("the metrics", seconds(5), || (gateway.gauge("tandem_calls_one_way") == 0.0).then_some(()));
    assert_eq!(gateway.gauge("tandem_calls_one_way_total"), 1.0);
    assert_eq!(gateway.metric("tandem_leg_mos_count", "received"), 1.0, "of the caller");
    let trunk: Value = serde_json::from_str(printed(&gateway, &["trunks", "--json"]).trim()).expect("a trunk a line");
    assert_eq!((&trunk["attempts"], &trunk["answer_seizure_ratio"]), (&1.into(), &1.0.into()), "{trunk:#}");
    assert!(trunk["mean_call_s"].as_f64().is_some_and(|length| (8.0..12.0).contains(&length)), "{trunk:#}");
}

#[test]
fn both_ways_of_a_call_are_judged_while_it_is_up() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &setup(net));
    // Reports come after 2.5 s, and the next within 7.5 s more: what answers ours is among those.
    let mut alice = call(&gateway, "*43", "13s");
    let up = wait::until("figures of both ways", seconds(15), || {
        let call = gateway.calls().into_iter().next()?;
        call["caller_sound"]["mos_sent"].is_number().then_some(call)
    });
    let sound = &up["caller_sound"];
    assert!(sound["received_packets"].as_u64() > Some(50) && sound["mos_received"].as_f64() > Some(4.0), "{up:#}");
    assert!(up["one_way"].is_null(), "{up:#}");
    assert!(alice.wait().expect("the call ends").success());
    let record = gateway.closed_records(1, seconds(10)).remove(0);
    let media = &record["legs"][0]["media"];
    assert!(record["one_way"].is_null() && media["mos_sent"].as_f64() > Some(3.5), "{record:#}");
    // `tandem call` was told that such reports are taken, and sends them.
    assert!(media["remote_voip"]["mos_conversation"].as_f64() > Some(3.5), "{record:#}");
    assert!(media["round_trip_us"].is_number(), "{record:#}");
}
