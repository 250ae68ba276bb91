//! The command line as people and scripts meet it: its help, its words, its exit codes. No gateway runs here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tandem::call::account::forwarding::Forwarding;

/// Every command, with a name for the file that holds its help.
const COMMANDS: [&[&str]; 18] = [
    &[],
    &["run"],
    &["check"],
    &["explain"],
    &["doctor"],
    &["call"],
    &["user"],
    &["user", "add"],
    &["user", "list"],
    &["user", "remove"],
    &["user", "password"],
    &["user", "forwarding"],
    &["cdr"],
    &["calls"],
    &["hangup"],
    &["trunks"],
    &["reload"],
    &["drain"],
];

fn tandem(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("TANDEM__HTTP__LISTEN", "127.0.0.1:9")
        .output()
        .unwrap()
}

fn words(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn help_file(command: &[&str]) -> PathBuf {
    let name = if command.is_empty() { "tandem".to_owned() } else { command.join("-") };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli_help").join(format!("{name}.txt"))
}

/// `TANDEM_BLESS=1` writes the files anew.
#[test]
fn help_is_as_it_was_read_last() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let (code, help, _) = words(&tandem(folder.path(), &arguments));
        assert_eq!(code, Some(0), "{command:?}");
        assert!(help.contains("Example"), "{command:?} has no example");
        assert!(help.contains("--config"), "{command:?} takes no --config");
        let file = help_file(command);
        if std::env::var_os("TANDEM_BLESS").is_some() {
            std::fs::write(&file, &help).unwrap();
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, known, "{} differs; TANDEM_BLESS=1 takes the new one", file.display());
    }
}

#[test]
fn what_comes_later_says_so_and_could_not_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = words(&tandem(folder.path(), &["doctor"]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(error, "tandem: `tandem doctor` comes with a later release\n");
}

#[test]
fn without_a_gateway_the_answer_names_the_address_and_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let asking: [&[&str]; 8] = [
        &["calls"],
        &["cdr", "--json"],
        &["trunks"],
        &["hangup", "x"],
        &["reload"],
        &["drain"],
        &["user", "list"],
        &["user", "add", "x"],
    ];
    for arguments in asking {
        let (code, out, error) = words(&tandem(folder.path(), arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {error}");
        assert!(error.contains("data/admin.token") && error.contains("tandem run"), "{error}");
    }
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/admin.token"), "a-token-of-the-tests\n").unwrap();
    for arguments in asking {
        let (code, out, error) = words(&tandem(folder.path(), arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {error}");
        assert!(error.contains("http://127.0.0.1:9") && error.contains("tandem run"), "{error}");
    }
    let (code, _, error) = words(&tandem(folder.path(), &["explain", "no-call"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("127.0.0.1:9"), "{error}");
}

#[test]
fn a_check_prints_every_problem_with_its_line_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = words(&tandem(folder.path(), &["check"]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("no problem: "), "{out}");
    std::fs::write(folder.path().join("music.toml"), "[media]\nhold_music = \"none.wav\"\n").unwrap();
    let (code, out, _) = words(&tandem(folder.path(), &["check", "--config", "music.toml"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with("media.hold_music: `none.wav` can't be played"), "{out}");
    std::fs::write(folder.path().join("office.toml"), "[sip]\ndomian = \"x\"\n\n[media]\nports = \"9-1\"\n").unwrap();
    let (code, out, _) = words(&tandem(folder.path(), &["check", "--config", "office.toml"]));
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("office.toml:2: ") && lines[0].contains("domain"), "{out}");
    assert!(lines[1].starts_with("office.toml:5: "), "{out}");
    let (code, out, _) = words(&tandem(folder.path(), &["--config", "office.toml", "check", "--json"]));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["ok"], &answer["problems"][0]["line"]), (Some(1), &false.into(), &2.into()));
    let (code, _, error) = words(&tandem(folder.path(), &["calls", "--config", "office.toml"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("tandem: office.toml:2: "), "{error}");
}

#[test]
fn a_plan_that_fails_a_test_of_its_own_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "[[rule]]\nname = \"Echo\"\nfrom = [\"users\"]\nnumber = \"*43\"\nto = [{ play = \"none.wav\" }]\n";
    let test = "\n[[test]]\ncall = { from = \"users\", to = \"*44\" }\nexpect = { rule = \"Echo\" }\n";
    std::fs::write(folder.path().join("plan.toml"), format!("{plan}{test}")).unwrap();
    std::fs::write(folder.path().join("tandem.toml"), "dialplan = \"plan.toml\"\n").unwrap();
    let (code, out, _) = words(&tandem(folder.path(), &["check"]));
    assert_eq!(code, Some(1));
    assert!(out.contains("plan.toml:7"), "{out}");
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let (code, out, _) = words(&tandem(folder.path(), &["check"]));
    assert_eq!(code, Some(1));
    assert!(out.starts_with("plan.toml:5: `none.wav` can't be played"), "{out}");
}

#[test]
fn explain_foretells_from_the_files_and_places_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[[user]]\nname = \"alice\"\npassword = \"a password\"\nnumber = \"+15550100001\"\n";
    std::fs::write(folder.path().join("tandem.toml"), config).unwrap();
    let told = |arguments: &[&str]| words(&tandem(folder.path(), arguments));
    let (code, out, _) = told(&["explain", "--from", "alice", "--to", "*43", "--at", "2026-11-21T09:00Z"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("user alice (+15550100001) calls *43 at 2026-11-21T09:00:00.000Z\n"), "{out}");
    assert!(out.contains("target  1. echo"), "{out}");
    let (code, out, _) = told(&["explain", "--from", "+15550100001", "--to", "*43", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["route"]["rule"]), (Some(0), &"Echo test".into()));
    let (code, out, _) = told(&["explain", "--from", "4711", "--to", "*43"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("a stranger"), "{out}");
    for (arguments, words) in [
        (&["explain", "--from", "trunk:acme", "--to", "1"] as &[&str], "no trunk `acme`"),
        (&["explain", "--from", "alice", "--to", "1", "--at", "noon"], "isn't a time"),
        (&["explain"], "--from and --to"),
        (&["explain", "--from", "alice"], "--to"),
        (&["explain", "an-id", "--from", "alice", "--to", "1"], "cannot be used"),
    ] {
        let (code, _, error) = told(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn explain_shows_where_a_users_calls_go() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tandem.toml"), "[[user]]\nname = \"alice\"\npassword = \"a password\"\n")
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", folder.path().join("data/tandem.db").display());
        let store = tandem::shell::store::Store::open(&url).await.unwrap();
        let busy = Some("+15550100009".to_owned());
        store.set_forwarding("alice", &Forwarding { busy, do_not_disturb: true, ..Default::default() }).await.unwrap();
        store.close().await;
    });
    let told = |arguments: &[&str]| words(&tandem(folder.path(), arguments));
    let (_, out, error) = told(&["explain", "--from", "alice", "--to", "alice"]);
    assert!(out.contains("forward alice, not to be disturbed: to +15550100009, as when busy\n"), "{out}{error}");
    assert!(out.contains("forward alice, when busy: to +15550100009\n"), "{out}");
    let (_, out, _) = told(&["explain", "--from", "alice", "--to", "alice", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&answer["forwards"][0]["user"], &answer["forwards"][0]["do_not_disturb"]),
        (&"alice".into(), &true.into())
    );
}

#[test]
fn wrong_words_could_not_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let wrong: [&[&str]; 7] = [
        &[],
        &["cals"],
        &["cdr", "--last", "0"],
        &["cdr", "--last", "many"],
        &["call", "sip:bob@127.0.0.1", "--dtmf", "12x"],
        &["call", "sip:bob@127.0.0.1", "--for", "soon"],
        &["hangup"],
    ];
    for arguments in wrong {
        let (code, _, error) = words(&tandem(folder.path(), arguments));
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(!error.is_empty());
    }
}

#[test]
fn a_level_of_simd_that_there_is_not_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("run")
        .current_dir(folder.path())
        .env_clear()
        .env("TANDEM_SIMD", "sse9")
        .output()
        .unwrap();
    let (code, _, said) = words(&output);
    assert_eq!(code, Some(2));
    let expected = "environment TANDEM_SIMD: `sse9` is no level of SIMD; there are portable, avx2, avx512 and neon";
    assert!(said.contains(expected), "{said}");
}
