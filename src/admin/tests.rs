use super::metrics::Metrics;
use super::token::Token;
use super::*;
use crate::base::time::Wall;
use crate::call::record::{CallRecord, EndedBy, State};
use crate::call::view::{AddressView, CallView, MemberView, Phase, RegistrationView, RoomView, TrunkView};
use crate::config::settings::{Secret, Settings, User};
use crate::dialplan::route::{Decision, Route, Target};
use crate::shell::control::{Control, ReloadReport, Status};
use crate::shell::error::ShellError;
use crate::shell::journal::{Journal, Recorder};
use crate::shell::store::Store;
use crate::shell::transport::Guests;
use arc_swap::ArcSwap;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

mod websocket;

const TOKEN: &str = "a-token-of-the-tests";

/// A gateway that consists of its API and of a loop which answers the same each time.
struct Fixture {
    address: SocketAddr,
    store: Store,
    journal: Journal,
    trouble: Arc<Mutex<Vec<ShellError>>>,
    accounts_changed: Arc<AtomicU32>,
    _folder: tempfile::TempDir,
}

struct Answered {
    status: u16,
    head: String,
    body: Value,
}

impl Fixture {
    async fn start() -> Fixture {
        Fixture::start_with(None).await
    }

    async fn start_with(sip: Option<Guests>) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}/tandem.db", folder.path().display())).await.unwrap();
        let (journal, _) = Journal::recover(folder.path(), &store).await.unwrap();
        let trouble: Arc<Mutex<Vec<ShellError>>> = Arc::default();
        let accounts_changed = Arc::new(AtomicU32::new(0));
        let (control, asked) = mpsc::channel(8);
        tokio::spawn(answer_all(asked, accounts_changed.clone()));
        let carol = User {
            name: "carol".to_owned(),
            secret: Secret::Password("a secret of carol".to_owned()),
            number: Some("+15550100009".to_owned()),
            country: None,
            display_name: None,
        };
        let settings = Settings { users: vec![carol], ..Settings::default() };
        let told = trouble.clone();
        let state = AppState {
            control,
            store: store.clone(),
            journal: journal.watch(),
            metrics: Arc::new(Metrics::new()),
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            token: Token::new(TOKEN),
            sip,
            ready: Arc::new(move || told.lock().unwrap().clone()),
        };
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router(state), 64, std::future::pending()));
        Fixture { address, store, journal, trouble, accounts_changed, _folder: folder }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        self.ask_as(&format!("Bearer {TOKEN}"), method, path, body.map(|body| body.to_string())).await
    }

    async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, None).await
    }

    async fn ask_as(&self, authorization: &str, method: &str, path: &str, body: Option<String>) -> Answered {
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses a body may close before it has read it.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answered { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or(json!(body)) }
    }
}

async fn answer_all(mut asked: mpsc::Receiver<Control>, accounts_changed: Arc<AtomicU32>) {
    let started = Wall::from_micros(1_795_248_000_000_000);
    while let Some(control) = asked.recv().await {
        match control {
            Control::Calls { reply } => drop(reply.send(vec![a_call(started)])),
            Control::Hangup { id, reply } => drop(reply.send(id == "up/1")),
            Control::Rooms { reply } => drop(reply.send(vec![a_room(started)])),
            Control::Room { name, reply } | Control::RecordRoom { name, reply, .. } => {
                drop(reply.send((name == "88-1").then(|| a_room(started))));
            }
            Control::Steer { room, id, steering, reply } => {
                let mut view = a_room(started);
                view.members[0].muted = steering.muted == Some(true);
                drop(reply.send((room == "88-1" && id == "up/1").then_some(view)));
            }
            Control::Trunks { reply } => drop(reply.send(vec![a_trunk(started)])),
            Control::Registrations { reply } => drop(reply.send(vec![a_registration()])),
            Control::Reload { reply } => drop(reply.send(Err(vec!["plan.toml:3: no; mend".to_owned()]))),
            Control::Drain { reply } => drop(reply.send(())),
            Control::Status { reply } => drop(reply.send(a_status(started))),
            Control::Explain { from, reply, .. } if from == "nobody" => {
                drop(reply.send(Err("no such user".to_owned())))
            }
            Control::Explain { to, at, reply, .. } => {
                let targets = match to.as_str() {
                    "barred" => vec![Target::Reject { status: 603, reason: String::new() }],
                    "carol" => vec![Target::User { name: to.clone() }],
                    _ => vec![Target::Echo],
                };
                let route = Route {
                    rule: format!("at {}", at.unwrap_or(started).rfc3339()),
                    caller: None,
                    targets,
                    transfer: Default::default(),
                    pass_headers: Default::default(),
                };
                drop(reply.send(Ok(Decision { number: to, route: Some(route), steps: Vec::new() })));
            }
            Control::UserChanged { .. } => drop(accounts_changed.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn a_call(started: Wall) -> CallView {
    CallView {
        id: "up/1".to_owned(),
        caller: "user:carol".to_owned(),
        from: "carol".to_owned(),
        dialled: "*43".to_owned(),
        number: "*43".to_owned(),
        target: Some("echo".to_owned()),
        phase: Phase::Talking,
        started,
        answered: Some(started),
        caller_codec: Some("opus/48000".to_owned()),
        callee_codec: None,
        caller_sound: None,
        callee_sound: None,
        one_way: None,
    }
}

fn a_room(since: Wall) -> RoomView {
    let member = MemberView {
        id: "up/1".to_owned(),
        who: "user:carol".to_owned(),
        from: "carol".to_owned(),
        since,
        talks: true,
        level_db: -30,
        muted: false,
        deaf: false,
        gain_db: 0,
        missing_frames: 4,
    };
    RoomView { name: "88-1".to_owned(), since, worker: 0, recording: None, members: vec![member] }
}

fn a_trunk(started: Wall) -> TrunkView {
    TrunkView {
        name: "acme".to_owned(),
        host: "sip.acme.example".to_owned(),
        up: true,
        state: "registered".to_owned(),
        addresses: vec![AddressView {
            address: "udp:192.0.2.7:5060".to_owned(),
            out_for_s: Some(20),
            why: Some("no answer"),
        }],
        lookup_failing: false,
        registered_until: Some(started),
        calls: 1,
        max_calls: Some(30),
        last_answer: Some("200 OK".to_owned()),
        last_answer_at: None,
        statistics: Default::default(),
    }
}

fn a_registration() -> RegistrationView {
    RegistrationView {
        user: "carol".to_owned(),
        contact: "sip:carol@192.0.2.1".to_owned(),
        address: "udp:192.0.2.1:5060".to_owned(),
        expires_in_s: 60,
        user_agent: "phone".to_owned(),
    }
}

fn a_status(started: Wall) -> Status {
    Status {
        version: "0",
        started,
        uptime: Duration::from_secs(7),
        closed: None,
        calls: 1,
        max_calls: 10,
        registrations: 1,
        trunks_up: 1,
        trunks: 1,
        workers: 1,
        listening: vec!["udp:127.0.0.1:5060".to_owned()],
    }
}

fn a_record(id: &str) -> CallRecord {
    let started = Wall::from_micros(1_795_248_000_000_000);
    CallRecord {
        id: id.to_owned(),
        state: State::Closed,
        caller: "user:carol".to_owned(),
        from: "carol".to_owned(),
        dialled: "bob".to_owned(),
        number: "bob".to_owned(),
        rule: None,
        started,
        ringing: None,
        answered: None,
        ended: Some(started),
        talk_ms: 0,
        legs: Vec::new(),
        status: 486,
        ended_by: EndedBy::Callee,
        cause: "busy".to_owned(),
    }
}

/// Every path of the API with a method that it knows.
const ROUTES: [(&str, &str); 21] = [
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("DELETE", "/api/v1/users/carol"),
    ("PUT", "/api/v1/users/carol/password"),
    ("GET", "/api/v1/users/carol/forwarding"),
    ("PATCH", "/api/v1/users/carol/forwarding"),
    ("GET", "/api/v1/cdr"),
    ("GET", "/api/v1/cdr/one"),
    ("GET", "/api/v1/calls"),
    ("GET", "/api/v1/calls/one"),
    ("DELETE", "/api/v1/calls/one"),
    ("GET", "/api/v1/rooms"),
    ("GET", "/api/v1/rooms/88-1"),
    ("POST", "/api/v1/rooms/88-1"),
    ("POST", "/api/v1/rooms/88-1/members/one"),
    ("GET", "/api/v1/trunks"),
    ("GET", "/api/v1/registrations"),
    ("GET", "/api/v1/explain?from=carol&to=1"),
    ("GET", "/api/v1/status"),
    ("POST", "/api/v1/reload"),
    ("POST", "/api/v1/drain"),
];

#[tokio::test]
async fn nothing_of_the_api_is_to_be_had_without_its_token() {
    let gateway = Fixture::start().await;
    let longer = format!("Bearer {TOKEN}x");
    for (method, path) in ROUTES.into_iter().chain([("GET", "/api/v1/none"), ("PATCH", "/api/v1/users")]) {
        for wrong in ["", "Bearer", "Bearer ", "Bearer a-token", "Basic YTpi", TOKEN, longer.as_str()] {
            let answer = gateway.ask_as(wrong, method, path, None).await;
            assert_eq!(answer.status, 401, "{method} {path} as {wrong:?}");
            assert!(answer.body["mend"].as_str().unwrap().contains("admin.token"));
            assert!(answer.head.contains("www-authenticate: Bearer"));
        }
        let answer = gateway.ask_as(&format!("bearer {TOKEN}"), method, path, None).await;
        assert_ne!(answer.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let gateway = Fixture::start().await;
    for (method, path, status) in [
        ("GET", "/api/v1/none", 404),
        ("GET", "/none", 404),
        ("PATCH", "/api/v1/users", 405),
        ("POST", "/healthz", 405),
    ] {
        let answer = gateway.ask(method, path, None).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.body["error"].is_string() && answer.body["mend"].is_string(), "{}", answer.body);
    }
    let home = gateway.get("/").await;
    assert!(home.body.as_str().unwrap().contains("later release"));
}

#[tokio::test]
async fn users_are_added_shown_changed_and_removed() {
    let gateway = Fixture::start().await;
    let dave = json!({ "name": "dave", "number": "+442079460001", "country": "GB" });
    let added = gateway.ask("POST", "/api/v1/users", Some(dave.clone())).await;
    assert_eq!((added.status, added.body["password"].as_str().unwrap().len()), (201, 16));
    let given = json!({ "name": "erin", "password": "a password of hers" });
    let given = gateway.ask("POST", "/api/v1/users", Some(given)).await;
    assert_eq!((given.status, &given.body["password"]), (201, &Value::Null));
    let listed = gateway.get("/api/v1/users").await.body;
    let names: Vec<&str> =
        listed["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["carol", "dave", "erin"]);
    for secret in ["a secret of carol", "a password of hers", "ha1"] {
        assert!(!listed.to_string().contains(secret));
    }
    for (method, path, body, status) in [
        ("POST", "/api/v1/users", dave, 409),
        ("POST", "/api/v1/users", json!({ "name": "frank", "number": "+442079460001" }), 409),
        ("POST", "/api/v1/users", json!({ "name": "frank", "number": "+15550100009" }), 409),
        ("POST", "/api/v1/users", json!({ "name": "carol" }), 409),
        ("POST", "/api/v1/users", json!({ "name": "../etc" }), 422),
        ("POST", "/api/v1/users", json!({ "name": "frank", "password": "short" }), 422),
        ("POST", "/api/v1/users", json!({ "name": "frank", "pasword": "a typo in the key" }), 422),
        ("POST", "/api/v1/users", json!([]), 422),
        ("PUT", "/api/v1/users/carol/password", json!({}), 409),
        ("PUT", "/api/v1/users/nobody/password", json!({}), 404),
        ("DELETE", "/api/v1/users/carol", json!({}), 409),
        ("DELETE", "/api/v1/users/nobody", json!({}), 404),
    ] {
        let answer = gateway.ask(method, path, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
        assert!(answer.body["error"].is_string() && answer.body["mend"].is_string(), "{}", answer.body);
    }
    let before = gateway.store.users().await.unwrap()[0].ha1_sha256.clone();
    let changed = gateway.ask("PUT", "/api/v1/users/dave/password", Some(json!({}))).await;
    assert_eq!((changed.status, changed.body["password"].is_string()), (200, true));
    assert_ne!(before, gateway.store.users().await.unwrap()[0].ha1_sha256);
    assert_eq!(gateway.ask("DELETE", "/api/v1/users/dave", None).await.status, 200);
    assert_eq!(gateway.store.users().await.unwrap().len(), 1);
    // The loop was told of four changes, and of nothing that was refused.
    assert_eq!(gateway.get("/api/v1/status").await.status, 200);
    assert_eq!(gateway.accounts_changed.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn where_a_users_calls_go() {
    let gateway = Fixture::start().await;
    let path = "/api/v1/users/carol/forwarding";
    let off = json!({
        "user": "carol", "always": null, "busy": null, "no_answer": null, "after_s": null, "do_not_disturb": false,
    });
    assert_eq!(gateway.get(path).await.body, off);
    let change = json!({ "always": "+442079460001", "no_answer": "dave", "after_s": 30, "do_not_disturb": true });
    let changed = gateway.ask("PATCH", path, Some(change)).await;
    let now = json!({
        "user": "carol", "always": "+442079460001", "busy": null, "no_answer": "dave", "after_s": 30,
        "do_not_disturb": true,
    });
    assert_eq!((changed.status, &changed.body), (200, &now));
    for (wrong, status) in [
        (json!({ "busy": "barred" }), 422),
        (json!({ "busy": "carol" }), 422),
        (json!({ "busy": "a b" }), 422),
        (json!({ "after_s": 1 }), 422),
        (json!({ "allways": "1" }), 422),
    ] {
        let answer = gateway.ask("PATCH", path, Some(wrong.clone())).await;
        assert_eq!(answer.status, status, "{wrong}: {}", answer.body);
    }
    assert_eq!(gateway.get(path).await.body, now);
    assert_eq!(gateway.get("/api/v1/users/nobody/forwarding").await.status, 404);
    assert_eq!(gateway.ask("PATCH", "/api/v1/users/nobody/forwarding", Some(json!({}))).await.status, 404);
    let back = json!({ "always": null, "no_answer": null, "after_s": null, "do_not_disturb": false });
    assert_eq!(gateway.ask("PATCH", path, Some(back)).await.body, off);
    assert_eq!(gateway.get("/api/v1/status").await.status, 200);
    assert_eq!(gateway.accounts_changed.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn bodies_that_are_too_large_too_deep_or_no_json_are_refused() {
    let gateway = Fixture::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    for (body, status) in [(deep, 422), (large, 413), ("{".to_owned(), 400), (String::new(), 400)] {
        let answer = gateway.ask_as(&bearer, "POST", "/api/v1/users", Some(body)).await;
        assert!(answer.status == status || answer.status == 400, "{status}: {}", answer.head);
        assert!(answer.body["error"].is_string());
    }
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

/// Names that lead elsewhere are names that nobody has, wherever they stand.
#[tokio::test]
async fn names_that_are_paths_or_statements_name_nobody() {
    let gateway = Fixture::start().await;
    let before = gateway.get("/api/v1/users").await.body;
    let evil = [
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e",
        "..",
        "a%00b",
        "'%20OR%20'1'='1",
        "x';DROP%20TABLE%20users;--",
        "%252e%252e",
    ];
    for name in evil {
        for (method, path) in [
            ("GET", format!("/api/v1/users/{name}/forwarding")),
            ("DELETE", format!("/api/v1/users/{name}")),
            ("GET", format!("/api/v1/cdr/{name}")),
            ("DELETE", format!("/api/v1/calls/{name}")),
            ("GET", format!("/{name}")),
        ] {
            let status = gateway.ask(method, &path, None).await.status;
            assert!(matches!(status, 400 | 404 | 405 | 422), "{method} {path}: {status}");
        }
        let body = json!({ "name": name.replace('%', ""), "password": "long enough a password" });
        let status = gateway.ask("POST", "/api/v1/users", Some(body)).await.status;
        assert!(matches!(status, 201 | 200 | 422), "{name}: {status}");
    }
    for text in ["a\r\nX-Evil: y", "../../x", "<script>", "a/b", "a b"] {
        let body = json!({ "name": text, "password": "long enough a password" });
        assert_eq!(gateway.ask("POST", "/api/v1/users", Some(body)).await.status, 422, "{text:?}");
    }
    assert!(gateway.get("/api/v1/users").await.body.to_string().len() >= before.to_string().len());
}

#[tokio::test]
async fn records_are_found_and_wrong_questions_are_told() {
    let gateway = Fixture::start().await;
    gateway.store.put_records(&[a_record("one"), a_record("two/2")]).await.unwrap();
    let found = gateway.get("/api/v1/cdr?limit=1&failed=true&since=2026-11-01").await.body;
    assert_eq!(found["records"].as_array().unwrap().len(), 1);
    assert_eq!(found["records"][0]["started"], "2026-11-21T08:00:00.000Z");
    assert_eq!(gateway.get("/api/v1/cdr?until=2026-11-01").await.body, json!({ "records": [] }));
    let one = gateway.get("/api/v1/cdr/two%2F2").await.body;
    assert_eq!((&one["id"], &one["status"], &one["ended_by"]), (&json!("two/2"), &json!(486), &json!("callee")));
    assert_eq!(gateway.get("/api/v1/cdr/none").await.status, 404);
    for wrong in ["since=yesterday", "limit=many", "last=3", "failed=perhaps"] {
        let answer = gateway.get(&format!("/api/v1/cdr?{wrong}")).await;
        assert_eq!((answer.status, answer.body["mend"].is_string()), (400, true), "{wrong}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_loop_is_asked_for_what_only_it_knows() {
    let gateway = Fixture::start().await;
    let calls = gateway.get("/api/v1/calls").await.body;
    assert_eq!((&calls["calls"][0]["id"], &calls["calls"][0]["state"]), (&json!("up/1"), &json!("talking")));
    assert_eq!(gateway.ask("DELETE", "/api/v1/calls/up%2F1", None).await.status, 200);
    assert_eq!(gateway.ask("DELETE", "/api/v1/calls/down", None).await.status, 404);
    assert_eq!(gateway.get("/api/v1/trunks").await.body["trunks"][0]["max_calls"], 30);
    assert_eq!(gateway.get("/api/v1/registrations").await.body["registrations"][0]["expires_in_s"], 60);
    assert_eq!(gateway.get("/api/v1/status").await.body["uptime_s"], 7);
    let explained = gateway.get("/api/v1/explain?from=carol&to=%2A43&at=2026-11-21T09:00Z").await.body;
    assert_eq!(
        (&explained["number"], &explained["route"]["rule"]),
        (&json!("*43"), &json!("at 2026-11-21T09:00:00.000Z"))
    );
    assert_eq!(gateway.get("/api/v1/explain?from=nobody&to=1").await.status, 422);
    assert_eq!(gateway.get("/api/v1/explain?from=nobody").await.status, 400);
    let reload = gateway.ask("POST", "/api/v1/reload", None).await;
    assert_eq!((reload.status, &reload.body["problems"]), (422, &json!(["plan.toml:3: no; mend"])));
    assert_eq!(gateway.ask("POST", "/api/v1/drain", None).await.body, json!({ "draining": true }));
    let report = ReloadReport { rules: 3, ..ReloadReport::default() };
    assert_eq!(json::reload(&report)["rules"], 3);
}

#[tokio::test]
async fn rooms_are_shown_and_steered() {
    let gateway = Fixture::start().await;
    let rooms = gateway.get("/api/v1/rooms").await.body;
    let member = &rooms["rooms"][0]["members"][0];
    assert_eq!(
        (&member["id"], &member["level_db"], &member["missing_frames"]),
        (&json!("up/1"), &json!(-30), &json!(4))
    );
    assert_eq!(gateway.get("/api/v1/rooms/88-1").await.body["name"], "88-1");
    assert_eq!(gateway.get("/api/v1/rooms/none").await.status, 404);
    let path = "/api/v1/rooms/88-1/members/up%2F1";
    let muted = gateway.ask("POST", path, Some(json!({ "mute": true }))).await;
    assert_eq!((muted.status, &muted.body["members"][0]["muted"]), (200, &json!(true)));
    for wrong in [json!({ "gain_db": 60 }), json!({ "moot": true }), json!({ "mute": 1 })] {
        assert_eq!(gateway.ask("POST", path, Some(wrong.clone())).await.status, 422, "{wrong}");
    }
    let away = "/api/v1/rooms/88-1/members/down";
    assert_eq!(gateway.ask("POST", away, Some(json!({ "kick": true }))).await.status, 404);
    assert_eq!(gateway.ask("POST", "/api/v1/rooms/88-1", Some(json!({ "record": true }))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_what_is_wrong_and_its_mend() {
    let mut gateway = Fixture::start().await;
    assert_eq!(gateway.get("/readyz").await.body, json!({ "ready": true, "reasons": [] }));
    gateway.trouble.lock().unwrap().push(ShellError::new("worker 0", "it is stuck", "restart"));
    let answer = gateway.get("/readyz").await;
    assert_eq!((answer.status, &answer.body["reasons"][0]["place"]), (503, &json!("worker 0")));
    gateway.trouble.lock().unwrap().clear();
    gateway.store.close().await;
    let answer = gateway.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body["reasons"][0]["place"].as_str().unwrap().ends_with("tandem.db"));
    // The recorder finds the same, and no connection of its own; it is told once.
    std::fs::remove_file(gateway.store.path()).unwrap();
    std::fs::create_dir(gateway.store.path()).unwrap();
    let recorder = Recorder::start(&mut gateway.journal, gateway.store.clone()).unwrap();
    gateway.journal.append(&a_record("one"));
    gateway.journal.flush();
    recorder.stop().await;
    assert_eq!(gateway.get("/readyz").await.body["reasons"].as_array().unwrap().len(), 1);
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let text = gateway.get("/metrics").await;
    assert!(text.head.contains("version=0.0.4"));
    assert!(text.body.as_str().unwrap().contains("tandem_records_pending 1"));
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_its_mend() {
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("[http]"), "{error}");
}
