//! What a newcomer does first: start it with nothing set up, dial the echo, hear oneself.

use crate::lab::gateway::{Gateway, Setup};
use crate::lab::quiet;
use crate::lab::speech::{Speech, score};
use std::path::Path;

#[test]
fn the_echo_gives_back_what_was_said() {
    let _machine = quiet::alone();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    call_the_echo(&gateway, &format!("sip:*43@{}", gateway.net.gateway()), "wonderland");
}

/// Nothing but addresses is set: the accounts, their passwords and the dialplan are the gateway's own.
#[test]
fn a_fresh_start_shows_two_accounts_once_and_they_call() {
    let _machine = quiet::alone();
    let mut gateway = Gateway::start(&Setup::new());
    let password = password_of("alice", &gateway.log()).expect("the first start shows alice's password");
    assert!(password_of("bob", &gateway.log()).is_some(), "the first start shows bob's password:\n{}", gateway.log());
    assert!(gateway.log().contains("*43"), "the first start names the number to try:\n{}", gateway.log());
    call_the_echo(&gateway, &format!("sip:*43@{}", gateway.net.gateway()), &password);

    let before = gateway.log().len();
    gateway.process().signal(libc::SIGTERM);
    gateway.process().ended(crate::lab::wait::seconds(20));
    gateway.restart();
    let log = gateway.log();
    assert!(!log[before..].contains(&password), "a second start doesn't show passwords:\n{}", &log[before..]);
    let output = gateway.cli(&["user", "list", "--json"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("alice"), "{output:?}");
}

/// Calls with speech, records, and scores the record.
#[track_caller]
fn call_the_echo(gateway: &Gateway, uri: &str, password: &str) {
    let heard = gateway.folder().join("heard.wav");
    let (play, record) = (text(&Speech::alice().wav(16_000)), text(&heard));
    let words = ["call", uri, "--user", "alice", "--password", password, "--play", &play, "--record", &record];
    quiet::hearing(|| {
        let output = gateway.cli(&[&words[..], &["--for", "12s"]].concat());
        assert!(output.status.success(), "{output:?}\nthe gateway's log:\n{}", gateway.log());
        let score = score(&Speech::alice().said(), &heard);
        println!("echo of {uri}: {score:?}");
        if score.mos > 3.4 && score.level_db.abs() < 3.0 { Ok(()) } else { Err(format!("{score:?}")) }
    });
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The password in a line that names the account.
fn password_of(account: &str, log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains(account) && line.contains("password"))?;
    let (_, rest) = line.split_once("password")?;
    let word = rest.split_whitespace().find(|word| word.len() >= 8)?;
    Some(word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned())
}
