use super::*;
use crate::base::time::{Now, Time};
use crate::call::account::forwarding::Forwarding;
use crate::call::letter::{Letter, LetterId, Pile};
use crate::call::party::Party;
use crate::call::record::{CallRecord, EndedBy, LegRecord, State, Unheard};
use crate::media::command::{Bursts, Report, VoipMetrics};
use crate::sip::flow::{Flow, Transport};
use crate::sip::registrar::Binding;
use md5::Digest;
use std::os::unix::fs::PermissionsExt;

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("deep/tandem.db").display())
}

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    (folder, store)
}

fn alice<'a>() -> NewUser<'a> {
    NewUser {
        name: "alice",
        realm: "example.net",
        password: "correct horse",
        number: Some("+15550100001"),
        country: Some("US"),
        display_name: Some("Alice"),
    }
}

fn open(id: &str, second: i64) -> CallRecord {
    CallRecord {
        id: id.to_owned(),
        state: State::Open,
        caller: "user:alice".to_owned(),
        from: "+15550100001".to_owned(),
        dialled: "00442079460000".to_owned(),
        number: "+442079460000".to_owned(),
        rule: Some("Landlines".to_owned()),
        started: Wall::from_micros(second * 1_000_000),
        ringing: None,
        answered: None,
        ended: None,
        talk_ms: 0,
        legs: vec![LegRecord { target: "user:alice".to_owned(), call_id: format!("{id}-a"), ..LegRecord::default() }],
        status: 0,
        ended_by: EndedBy::Nobody,
        cause: String::new(),
    }
}

fn closed(id: &str, second: i64) -> CallRecord {
    let report = Report {
        received_packets: 600,
        source: Some("192.0.2.1:4000".parse().unwrap()),
        round_trip_us: Some(20_000),
        remote_voip: Some(VoipMetrics { loss: 3, mos_listening: Some(41), ..VoipMetrics::default() }),
        discarded_packets: 2,
        bursts: Bursts { runs: 4, count: 3, packets: 20, missing: 9 },
        packet_ms: Some(20),
        strangers: 1,
        stranger: Some("203.0.113.9:4000".parse().unwrap()),
        foreign_payloads: 5,
        unauthentic: 6,
        ..Report::default()
    };
    let callee = LegRecord {
        target: "trunk:acme".to_owned(),
        call_id: format!("{id}-b"),
        status: 200,
        codec: Some("PCMA/8000".to_owned()),
        media: Some(report),
        announced: Some("192.168.1.5:4000".parse().unwrap()),
        local: Some("192.0.2.9:20000".parse().unwrap()),
        unheard: vec![Unheard { after_ms: 3_200, for_ms: Some(7_000), has_spoken: true }],
        ..LegRecord::default()
    };
    let mut record = open(id, second);
    record.legs.push(callee);
    CallRecord {
        state: State::Closed,
        answered: Some(Wall::from_micros((second + 2) * 1_000_000)),
        ended: Some(Wall::from_micros((second + 12) * 1_000_000)),
        talk_ms: 10_000,
        status: 200,
        ended_by: EndedBy::Caller,
        cause: "BYE".to_owned(),
        ..record
    }
}

#[tokio::test]
async fn where_a_users_calls_go_is_kept_until_the_user_is_removed() {
    let (_folder, store) = store().await;
    let forwarding = Forwarding {
        no_answer: Some("+442079460000".to_owned()),
        after: Some(Duration::from_secs(30)),
        ..Forwarding::default()
    };
    store.add_user(&alice()).await.unwrap();
    assert_eq!((store.has_user("alice").await.unwrap(), store.has_user("bob").await.unwrap()), (true, false));
    store.set_forwarding("bob", &Forwarding { do_not_disturb: true, ..Forwarding::default() }).await.unwrap();
    store.set_forwarding("alice", &forwarding).await.unwrap();
    assert_eq!(store.forwarding("alice").await.unwrap(), forwarding);
    assert_eq!(store.forwardings().await.unwrap().len(), 2);
    store.set_forwarding("bob", &Forwarding::default()).await.unwrap();
    assert_eq!(store.forwardings().await.unwrap(), [("alice".to_owned(), forwarding)]);
    store.remove_user("alice").await.unwrap();
    assert!(store.forwarding("alice").await.unwrap().is_off());
}

#[tokio::test]
async fn phones_are_kept_until_they_expire_and_the_last_word_counts() {
    let (_folder, store) = store().await;
    let at = |seconds: u64| Now::simulated(Time::from_millis(seconds * 1_000), Wall::from_micros(1_000_000));
    let flow = |remote: &str| Flow {
        transport: Transport::Tls,
        local: "[2001:db8::1]:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
    };
    let binding = |uri: &str, refreshed: u64, expires: u64| Binding {
        id: 7,
        uri: uri.to_owned(),
        flow: flow("192.0.2.7:5062"),
        q: 500,
        expires_at: Time::from_millis(expires * 1_000),
        refreshed_at: Time::from_millis(refreshed * 1_000),
        call_id: "c'; DROP TABLE bindings; --".to_owned(),
        cseq: u32::MAX,
        user_agent: "Phone \"1\"".to_owned(),
        instance: Some("<urn:uuid:1>".to_owned()),
        reg_id: Some(2),
        path: vec!["<sip:one;lr>".to_owned(), "<sip:two;lr>".to_owned()],
        epoch: 9,
        behind_nat: true,
        params: ";ob".to_owned(),
    };
    let (old, new) = (binding("sip:old@192.0.2.7", 10, 300), binding("sip:new@192.0.2.7", 20, 300));
    let brief = binding("sip:brief@192.0.2.7", 15, 60);
    let bobs = ("bob".to_owned(), vec![new.clone(), brief.clone()]);
    store.keep_bindings(at(30), &[bobs, ("alice".to_owned(), vec![brief])]).await.unwrap();
    store.keep_bindings(at(31), &[("alice".to_owned(), vec![old.clone()])]).await.unwrap();
    // The next process counts its time from its own start.
    let restarted = Now { time: Time::from_millis(5), wall: at(100).wall };
    let taken = |binding: Binding| Binding {
        id: 0,
        epoch: 0,
        refreshed_at: Time::ZERO,
        expires_at: Time::from_millis(200_005),
        ..binding
    };
    let kept = store.bindings(restarted).await.unwrap();
    assert_eq!(kept, [("alice".to_owned(), taken(old)), ("bob".to_owned(), taken(new))]);
    store.keep_bindings(restarted, &[("alice".to_owned(), vec![]), ("bob".to_owned(), vec![])]).await.unwrap();
    assert!(store.bindings(restarted).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_is_kept_without_the_password() {
    let (folder, store) = store().await;
    store.add_user(&alice()).await.unwrap();
    let users = store.users().await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].number.as_deref(), Some("+15550100001"));
    // md5sum and sha256sum of `alice:example.net:correct horse`.
    let digest: String =
        md5::Md5::digest("alice:example.net:correct horse").iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((users[0].ha1_md5.as_str(), users[0].ha1_md5.len()), (digest.as_str(), 32));
    assert_eq!(users[0].ha1_sha256.len(), 64);
    let mode = std::fs::metadata(store.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "digests are secrets");
    store.close().await;
    let bytes = std::fs::read(folder.path().join("deep/tandem.db")).unwrap();
    assert!(memchr::memmem::find(&bytes, b"correct horse").is_none());
    assert!(memchr::memmem::find(&bytes, b"alice").is_some());
}

#[tokio::test]
async fn names_and_numbers_are_taken_once() {
    let (_folder, store) = store().await;
    store.add_user(&alice()).await.unwrap();
    assert_eq!(store.add_user(&alice()).await, Err(UserError::NameTaken));
    let twin = NewUser { name: "bob", ..alice() };
    assert_eq!(store.add_user(&twin).await, Err(UserError::NumberTaken("alice".to_owned())));
    let bob = NewUser { name: "bob", number: None, ..alice() };
    store.add_user(&bob).await.unwrap();
    assert_eq!(store.remove_user("alice").await, Ok(UserChange::Done));
    assert_eq!(store.remove_user("alice").await, Ok(UserChange::Unknown));
    assert_eq!(store.set_password("alice", "example.net", "a new password").await, Ok(UserChange::Unknown));
    let before = store.users().await.unwrap();
    assert_eq!(store.set_password("bob", "example.org", "a new password").await, Ok(UserChange::Done));
    let after = store.users().await.unwrap();
    assert_eq!(after[0].realm, "example.org");
    assert_ne!(before[0].ha1_sha256, after[0].ha1_sha256);
}

#[tokio::test]
async fn values_that_are_no_users_are_refused_in_words() {
    let (_folder, store) = store().await;
    let long = "x".repeat(65);
    for name in ["", "a b", "../x", "a@b", "a\r\nb", "-a", ".", long.as_str()] {
        let error = store.add_user(&NewUser { name, ..alice() }).await.unwrap_err();
        assert!(error.to_string().contains("can't be a user's name"), "{name}: {error}");
    }
    for number in ["", "+", "0044", "+44 20", "+4420794600000000"] {
        let error = store.add_user(&NewUser { number: Some(number), ..alice() }).await.unwrap_err();
        assert!(error.to_string().contains("E.164"), "{number}: {error}");
    }
    for password in ["", "short", "with\nline feed"] {
        let error = store.add_user(&NewUser { password, ..alice() }).await.unwrap_err();
        assert!(error.to_string().contains("8 to 256"), "{error}");
    }
    let country = NewUser { country: Some("usa"), ..alice() };
    assert!(store.add_user(&country).await.unwrap_err().to_string().contains("ISO 3166-1"));
    assert!(store.users().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_record_comes_back_as_it_went_in_however_often() {
    let (_folder, store) = store().await;
    let record = closed("one", 100);
    for _ in 0..3 {
        store.put_records(&[open("one", 100), record.clone()]).await.unwrap();
    }
    // The journal read again from its start: what is closed stays so.
    store.put_records(&[open("one", 100)]).await.unwrap();
    assert_eq!(store.records(&Filter::default()).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(store.record("one").await.unwrap(), Some(record.clone()));
    assert_eq!(store.record("one-b").await.unwrap(), Some(record));
    assert_eq!(store.record("two").await.unwrap(), None);
}

#[tokio::test]
async fn records_are_found_by_time_party_and_failure() {
    let (_folder, store) = store().await;
    let refused = CallRecord {
        answered: None,
        status: 486,
        caller: "trunk:acme".to_owned(),
        from: "+33123456789".to_owned(),
        ..closed("busy", 200)
    };
    store.put_records(&[closed("one", 100), refused, open("up", 300)]).await.unwrap();
    let ids = async |filter: Filter| -> Vec<String> {
        store.records(&filter).await.unwrap().into_iter().map(|record| record.id).collect()
    };
    let at = |second: i64| Some(Wall::from_micros(second * 1_000_000));
    assert_eq!(ids(Filter::default()).await, ["up", "busy", "one"]);
    assert_eq!(ids(Filter { limit: 1, ..Filter::default() }).await, ["up"]);
    assert_eq!(ids(Filter { since: at(200), ..Filter::default() }).await, ["up", "busy"]);
    assert_eq!(ids(Filter { until: at(200), ..Filter::default() }).await, ["one"]);
    assert_eq!(ids(Filter { failed: true, ..Filter::default() }).await, ["busy"]);
    assert_eq!(ids(Filter { party: Some("3312".to_owned()), ..Filter::default() }).await, ["busy"]);
    assert_eq!(ids(Filter { party: Some("' OR 1 --".to_owned()), ..Filter::default() }).await, [""; 0]);
}

#[tokio::test]
async fn calls_of_a_dead_process_are_cut_off_at_its_last_sign_of_life() {
    let (_folder, store) = store().await;
    let talking = CallRecord { answered: Some(Wall::from_micros(105_000_000)), ..open("talking", 100) };
    store.put_records(&[talking, open("young", 900), closed("done", 50)]).await.unwrap();
    store.heartbeat(Wall::from_micros(200_000_000)).await.unwrap();
    assert_eq!(store.close_open(Some(Wall::from_micros(150_000_000))).await, Ok(2));
    assert_eq!(store.close_open(None).await, Ok(0));
    let talking = store.record("talking").await.unwrap().unwrap();
    assert_eq!((talking.state, talking.ended_by), (State::CutOff, EndedBy::Gateway));
    assert_eq!((talking.ended, talking.talk_ms), (Some(Wall::from_micros(200_000_000)), 95_000));
    assert!(talking.cause.starts_with("cut off"));
    // A call that began after the last heartbeat has no better end than its beginning.
    let young = store.record("young").await.unwrap().unwrap();
    assert_eq!((young.ended, young.talk_ms), (Some(young.started), 0));
    assert_eq!(store.record("done").await.unwrap(), Some(closed("done", 50)));
    // The journal, read again, opens none of them.
    store.put_records(&[open("young", 900)]).await.unwrap();
    assert_eq!(store.record("young").await.unwrap().unwrap().state, State::CutOff);
}

#[tokio::test]
async fn notes_are_kept() {
    let (folder, store) = store().await;
    assert_eq!(store.note("welcomed").await, Ok(None));
    store.set_note("welcomed", "no").await.unwrap();
    store.set_note("welcomed", "yes").await.unwrap();
    store.close().await;
    let again = Store::open(&url(folder.path())).await.unwrap();
    assert_eq!(again.note("welcomed").await, Ok(Some("yes".to_owned())));
    assert_eq!(again.check().await, Ok(()));
}

#[tokio::test]
async fn a_reader_sees_what_a_running_gateway_has_and_makes_no_file() {
    let (folder, store) = store().await;
    store.add_user(&alice()).await.unwrap();
    let reader = Store::open_to_read(&url(folder.path())).await.unwrap().unwrap();
    assert_eq!(reader.users().await.unwrap().len(), 1);
    assert!(reader.add_user(&NewUser { name: "bob", number: None, ..alice() }).await.is_err());
    let nowhere = folder.path().join("none");
    assert!(Store::open_to_read(&url(&nowhere)).await.unwrap().is_none());
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (folder, store) = store().await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&store.pool).await.unwrap();
    store.close().await;
    for error in [Store::open(&url(folder.path())).await.err(), Store::open_to_read(&url(folder.path())).await.err()] {
        let error = error.unwrap().to_string();
        assert!(error.contains("tandem.db") && error.contains("schema 99") && error.contains("newer"), "{error}");
    }
}

#[tokio::test]
async fn damage_wrong_urls_and_closed_doors_are_told_with_their_place_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.db");
    std::fs::write(&path, "this is no database, but it is long enough to be looked at as one".repeat(40)).unwrap();
    let error = Store::open(&format!("sqlite:{}", path.display())).await.unwrap_err();
    assert!(error.place.ends_with("tandem.db") && error.mend.contains("backup"), "{error}");
    let error = Store::open("postgres://localhost/tandem").await.unwrap_err();
    assert!(error.place == "store.url" && error.mend.contains("sqlite:"), "{error}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&format!("sqlite:{}/tandem.db", file.display())).await.unwrap_err();
    assert!(error.place.ends_with("file"), "{error}");
    let error = Store::open(&format!("sqlite:{}", folder.path().display())).await.unwrap_err();
    assert!(error.mend.contains("folder"), "{error}");
}

/// SQLite rolls a transaction back by itself where the disk is full, as it does for this trigger.
#[tokio::test]
async fn records_are_taken_again_after_a_transaction_that_the_database_ended() {
    let (_folder, store) = store().await;
    let ends = "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(ROLLBACK, 'no room'); END";
    sqlx::query(ends).execute(&store.pool).await.unwrap();
    for _ in 0..8 {
        assert!(store.put_records(&[open("1", 1)]).await.is_err());
    }
    sqlx::query("DROP TRIGGER full").execute(&store.pool).await.unwrap();
    for _ in 0..8 {
        store.put_records(&[closed("1", 1)]).await.unwrap();
    }
    assert_eq!(store.records(&Filter::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn letters_are_kept_in_their_order_until_they_are_discarded() {
    let (_folder, store) = store().await;
    let letter = |to: &str, text: &str, expires: i64| Letter {
        from: Party { user: "alice".to_owned(), is_asserted: true, ..Party::default() },
        to: to.to_owned(),
        content_type: "text/plain".to_owned(),
        content_encoding: None,
        language: Some("en".to_owned()),
        subject: None,
        body: text.to_owned().into(),
        sent: Wall::from_micros(1),
        expires: Wall::from_micros(expires),
    };
    let (first, second) = (letter("bob", "one\0two", 100), letter("bob", "later", 300));
    let id = store.keep_letter(&first).await.unwrap();
    store.keep_letter(&letter("carol", "hello", 100)).await.unwrap();
    let last = store.keep_letter(&second).await.unwrap();
    assert!(id < last);
    let now = Wall::from_micros(99);
    let all = store.letters("bob", LetterId::default(), 10, now).await.unwrap();
    assert_eq!(all, [(id, first), (last, second.clone())]);
    assert_eq!(store.letters("bob", id, 10, now).await.unwrap(), [(last, second)]);
    assert_eq!(store.letters("bob", LetterId::default(), 1, now).await.unwrap().len(), 1);
    let pile = |user: &str, letters, bytes| Pile { user: user.to_owned(), letters, bytes };
    assert_eq!(store.letter_census().await.unwrap(), [pile("bob", 2, 12), pile("carol", 1, 5)]);
    let now = Wall::from_micros(100);
    assert_eq!(store.letters("carol", LetterId::default(), 10, now).await.unwrap(), []);
    assert_eq!(store.expire_letters(now).await.unwrap(), [pile("bob", 1, 7), pile("carol", 1, 5)]);
    store.discard_letter(last).await.unwrap();
    store.keep_letter(&letter("dora", "x", 300)).await.unwrap();
    store.forget_letters("dora").await.unwrap();
    assert_eq!(store.letter_census().await.unwrap(), []);
    assert!(store.keep_letter(&letter("bob", "x", 300)).await.unwrap() > last, "no number comes twice");
}

#[tokio::test]
async fn a_batch_of_any_size_is_stored_whole() {
    let (_folder, store) = store().await;
    for size in [0, 1, 7, 8, 64, 137] {
        let records: Vec<CallRecord> = (0..size).map(|number| closed(&format!("{size}-{number}"), number)).collect();
        store.put_records(&records).await.unwrap();
        store.put_records(&records).await.unwrap();
        let all = store.records(&Filter { limit: 1_000, ..Filter::default() }).await.unwrap();
        let of_this = all.iter().filter(|record| record.id.starts_with(&format!("{size}-")));
        assert_eq!(of_this.count() as i64, size);
    }
}
