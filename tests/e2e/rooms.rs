//! A conference room between three phones, each with a tone of its own: what each of them hears, and what the books, the
//! operator and the recording say of it.

use crate::lab::gateway::{Gateway, Setup};
use crate::lab::quiet;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::path::Path;
use std::thread;

const RATE: u32 = 16_000;
const FREQUENCIES: [f64; 3] = [440.0, 620.0, 870.0];
const CODECS: [&str; 3] = ["opus", "PCMU", "G722"];

#[test]
fn each_of_three_phones_hears_the_two_others() {
    let _machine = quiet::alone();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    let folder = gateway.folder();
    for (n, frequency) in FREQUENCIES.into_iter().enumerate() {
        write_tone(&folder.join(format!("says-{n}.wav")), frequency, 14);
    }
    quiet::hearing(|| {
        thread::scope(|scope| {
            let gateway = &gateway;
            let phones: Vec<_> = (0..3).map(|n| scope.spawn(move || call(gateway, n))).collect();
            let room = await_members(gateway, 3);
            let name = room["name"].as_str().unwrap_or_default();
            assert_eq!(name, "88-1");
            let recorded = gateway.cli(&["calls", "record", name]);
            assert!(recorded.status.success(), "{recorded:?}");
            let shown = gateway.cli(&["calls", "--rooms"]);
            assert!(String::from_utf8_lossy(&shown.stdout).contains("user:alice"), "{shown:?}");
            for phone in phones {
                let output = phone.join().expect("the phone's thread ends");
                assert!(output.status.success(), "{output:?}\n{}", gateway.log());
            }
        });
        for n in 0..3 {
            judge(n, &folder.join(format!("heard-{n}.wav")))?;
        }
        recording(folder)
    });
    assert!(gateway.rooms().is_empty(), "nobody is left");
    let records = gateway.closed_records(3, seconds(10));
    assert!(records.iter().all(|record| record["legs"][1]["target"] == "conference:88-1"), "{records:#?}");
}

/// Steers a room by its only member.
#[test]
fn an_operator_steers_a_member() {
    let _machine = quiet::beside_others();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    write_tone(&gateway.folder().join("says-1.wav"), FREQUENCIES[1], 20);
    thread::scope(|scope| {
        let phone = scope.spawn(|| call(&gateway, 1));
        let room = await_members(&gateway, 1);
        let id = room["members"][0]["id"].as_str().expect("a member has an id").to_owned();
        let talks = |wanted: bool| {
            let told = wait::within(seconds(5), || {
                let rooms = gateway.rooms();
                (rooms[0]["members"][0]["talking"] == wanted).then_some(())
            });
            assert!(told.is_some(), "talking is not {wanted}: {:#?}", gateway.rooms());
        };
        talks(true);
        for (verb, field, value) in [
            (&["mute"][..], "muted", Value::from(true)),
            (&["deafen"], "deaf", Value::from(true)),
            (&["undeafen"], "deaf", Value::from(false)),
            (&["gain"], "gain_db", Value::from(-6)),
        ] {
            let mut words = vec!["calls", verb[0], "88-1", id.as_str()];
            words.extend((verb[0] == "gain").then_some("-6"));
            let output = gateway.cli(&words);
            assert!(output.status.success(), "{words:?}: {output:?}");
            assert_eq!(gateway.rooms()[0]["members"][0][field], value, "{words:?}");
        }
        talks(false);
        let wrong = gateway.cli(&["calls", "mute", "88-1", "nobody"]);
        assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
        let output = gateway.cli(&["calls", "kick", "88-1", &id]);
        assert!(output.status.success(), "{output:?}");
        phone.join().expect("the phone's thread ends");
    });
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["cause"], "taken out of the room by an operator");
}

fn call(gateway: &Gateway, n: usize) -> std::process::Output {
    let uri = format!("sip:*881@{}", gateway.net.gateway());
    let (play, record) = (format!("says-{n}.wav"), format!("heard-{n}.wav"));
    let words = ["call", &uri, "--user", "alice", "--password", "wonderland", "--codec", CODECS[n]];
    gateway.cli(&[&words[..], &["--play", &play, "--record", &record, "--for", "8s"]].concat())
}

#[track_caller]
fn await_members(gateway: &Gateway, count: usize) -> Value {
    let found = wait::within(seconds(10), || {
        let rooms = gateway.rooms();
        let room = rooms.first()?;
        (room["members"].as_array()?.len() == count).then(|| room.clone())
    });
    found.unwrap_or_else(|| panic!("no room has {count} members; the log:\n{}", gateway.log()))
}

/// From the time in which all three were there.
fn judge(n: usize, heard: &Path) -> Result<(), String> {
    let (rate, pcm) = read(heard);
    let middle = pcm.get(3 * rate as usize..5 * rate as usize).ok_or("the recording is too short")?;
    let levels: Vec<f64> = FREQUENCIES.iter().map(|&frequency| level(middle, rate, frequency)).collect();
    println!("{n} hears {levels:?}");
    let fits = levels.iter().enumerate().all(|(of, &level)| if of == n { level < 300.0 } else { level > 3_000.0 });
    if fits { Ok(()) } else { Err(format!("{n} hears {levels:?}")) }
}

/// The room's file has all three, and each member's its own tone.
fn recording(folder: &Path) -> Result<(), String> {
    let entries = |path: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut tapes = entries(&folder.join("data/recordings"));
    tapes.sort();
    let tape = tapes.last().ok_or("nothing was recorded")?;
    let complete = wait::within(seconds(5), || {
        let files = entries(tape);
        let ended = |path: &std::path::PathBuf| hound::WavReader::open(path).is_ok_and(|wav| wav.len() > 0);
        (files.len() == 4 && files.iter().all(ended)).then_some(files)
    });
    for file in complete.ok_or_else(|| format!("{:?} of four files", entries(tape)))? {
        let (rate, pcm) = read(&file);
        let part = pcm.get(rate as usize..2 * rate as usize).ok_or("a recording is too short")?;
        let loud = FREQUENCIES.iter().filter(|&&frequency| level(part, rate, frequency) > 3_000.0).count();
        let wanted = if file.ends_with("room.wav") { 3 } else { 1 };
        if loud != wanted {
            return Err(format!("{} has {loud} tones", file.display()));
        }
    }
    Ok(())
}

fn write_tone(path: &Path, frequency: f64, seconds: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(path, spec).expect("the test's folder can be written");
    for n in 0..RATE * seconds {
        let angle = f64::from(n) / f64::from(RATE) * frequency * std::f64::consts::TAU;
        wav.write_sample((6_000.0 * angle.sin()) as i16).expect("the disk has room");
    }
    wav.finalize().expect("the disk has room");
}

fn read(path: &Path) -> (u32, Vec<i16>) {
    let wav = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (wav.spec().sample_rate, wav.into_samples().map(|sample| sample.expect("a sample can be read")).collect())
}

/// The level of a tone (Goertzel).
fn level(pcm: &[i16], rate: u32, frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &sample) in pcm.iter().enumerate() {
        let angle = n as f64 / f64::from(rate) * frequency * std::f64::consts::TAU;
        re += f64::from(sample) * angle.cos();
        im += f64::from(sample) * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / pcm.len() as f64
}
