//! What an operator does wrong, and what the gateway says to it: the place, what is wrong, and the mend.

use crate::crowd::between;
use crate::lab::gateway::{BINARY, Gateway, Setup, launch, log_of};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::wait::{self, seconds};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    Setup::new().sip("ring_timout = \"20s\"").media("codex = [\"PCMA\"]").write(net, folder.path());
    let lines = check(folder.path(), 1);
    let place = place_of(folder.path(), "tandem.toml", "ring_timout");
    let line = lines.iter().find(|line| line.contains(&place)).unwrap_or_else(|| panic!("{place} in {lines:?}"));
    assert!(line.contains("ring_timout") && line.contains("ring_timeout"), "{line}");
    let place = place_of(folder.path(), "tandem.toml", "codex");
    assert!(lines.iter().any(|line| line.contains(&place) && line.contains("codecs")), "it goes on: {lines:?}");
    refuses_to_run(folder.path(), &[&place]);
}

#[test]
fn a_mistake_in_the_dialplan_is_named_with_its_line() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    let plan = "[[rule]]\nname = \"Out\"\nfrom = [\"users\"]\nnumber = \"+1NXX\"\nto = [{ trunk = \"nowhere\" }]\n\n\
                [[rule]]\nname = \"Odd\"\nnumbr = \"1XX\"\nto = [{ echo = true }]\n";
    Setup::new().alice_and_bob().plan(plan).write(net, folder.path());
    let lines = check(folder.path(), 1);
    for (word, more) in [("nowhere", "nowhere"), ("numbr", "number")] {
        let place = place_of(folder.path(), "plan.toml", word);
        assert!(lines.iter().any(|line| line.contains(&place) && line.contains(more)), "{place} in {lines:?}");
    }
    refuses_to_run(folder.path(), &["plan.toml:"]);
}

#[test]
fn a_test_that_fails_keeps_a_dialplan_from_going_live() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    let plan = format!(
        "{}\n[[test]]\ncall = {{ from = \"trunk:left\", to = \"1000\" }}\nexpect = {{ trunk = \"left\" }}\n",
        crate::crowd::THROUGH
    );
    between(net).plan(&plan).write(net, folder.path());
    let lines = check(folder.path(), 1);
    assert!(lines.iter().any(|line| line.contains("plan.toml:") && line.contains("right")), "{lines:?}");
    refuses_to_run(folder.path(), &["plan.toml:"]);
}

#[test]
fn a_sound_configuration_passes_the_check() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    between(net).alice_and_bob().write(net, folder.path());
    check(folder.path(), 0);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    let setup = Setup::new();
    setup.write(net, folder.path());
    let host = net.gateway();
    let taken = UdpSocket::bind((host, 5060)).expect("the port is free");
    refuses_to_run(folder.path(), &[&format!("{host}:5060"), "`udp` of [sip]"]);
    drop(taken);
    let taken = TcpListener::bind((host, 5060)).expect("the port is free");
    refuses_to_run(folder.path(), &[&format!("{host}:5060"), "`tcp` of [sip]"]);
    drop(taken);
    let _taken = TcpListener::bind((host, 8080)).expect("the port is free");
    refuses_to_run(folder.path(), &[&format!("{host}:8080"), "`listen` of [http]"]);
}

#[test]
fn a_full_disk_at_the_start_is_named() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    Setup::new().write(net, folder.path());
    let Some(disk) = SmallDisk::at(folder.path().join("data"), "256k") else { return };
    disk.fill();
    refuses_to_run(folder.path(), &["data", "space"]);
}

/// Calls go on, the trouble is shown, and what could not be written then is written when there is space again.
#[test]
fn a_disk_that_fills_up_costs_neither_a_call_nor_a_record() {
    let _machine = quiet::beside_others();
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder can be made"));
    let Some(disk) = SmallDisk::at(folder.path().join("data"), "4m") else { return };
    let data = format!("data = \"{}\"", folder.path().join("data").display());
    let gateway = Gateway::start_in(net, &between(net).top(&data));
    let _right = Plan::callee(net, 3).start();
    let call = |count| {
        let caller = Plan::caller(net, 2, &gateway.sip(), "1000");
        caller.calls(count, 50, Duration::from_millis(300)).start().succeeded(seconds(30));
    };
    call(1);
    await_records(&gateway, 1);
    disk.fill();
    call(50);
    wait::until("the log to name the disk", seconds(10), || {
        let log = gateway.log();
        log.lines().any(|line| line.contains("full") && line.contains("/data/")).then_some(())
    });
    disk.free();
    wait::until("the gateway to be ready", seconds(30), || (gateway.get("/readyz")?.0 == 200).then_some(()));
    await_records(&gateway, 51);
}

/// Waits for the records by the command, which knows where the data is when it isn't in the gateway's own folder.
#[track_caller]
fn await_records(gateway: &Gateway, count: usize) {
    wait::until(&format!("{count} records"), seconds(30), || {
        let records = gateway.printed_records();
        (records.len() == count && records.iter().all(|record| record["state"] == "closed")).then_some(())
    });
}

/// Runs `tandem check`, and returns what it printed, line by line.
#[track_caller]
fn check(folder: &Path, code: i32) -> Vec<String> {
    let mut command = Command::new(BINARY);
    command.args(["check", "--config", "tandem.toml"]).current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("tandem can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text.lines().map(str::to_owned).collect()
}

/// `file:line` of the line that has `word` in it.
fn place_of(folder: &Path, file: &str, word: &str) -> String {
    let text = std::fs::read_to_string(folder.join(file)).expect("it was written");
    let line = text.lines().position(|line| line.contains(word)).expect("the word is in the file") + 1;
    format!("{file}:{line}")
}

/// Starts the gateway, which ends with an error that has all of `words` in it.
#[track_caller]
fn refuses_to_run(folder: &Path, words: &[&str]) {
    let _ = std::fs::remove_file(log_of(folder));
    let mut process = launch(folder);
    let status = process.ended(seconds(20));
    let log = process.log();
    assert!(!status.success(), "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not in:\n{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

/// A file system of its own in memory, which can be filled. Only root can make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: PathBuf, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(&path).expect("the folder can be written");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tandem-test"]).arg(&path);
        let output = mount.output().expect("mount is on every Debian");
        if output.status.success() {
            return Some(SmallDisk(path));
        }
        println!("not tested: a full disk wants the right to mount one: {}", String::from_utf8_lossy(&output.stderr));
        None
    }

    fn fill(&self) {
        // It ends with the error that it is made for.
        let _ = std::fs::write(self.0.join("filler"), vec![0; 16 << 20]);
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
