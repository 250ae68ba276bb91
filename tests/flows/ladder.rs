//! Plays a ladder, line by line.

use crate::books;
use crate::expect::{is_by_the_way, is_meant, objection};
use crate::line::{Line, span};
use crate::peer::counted;
use crate::world::{Setting, World};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use tandem::call::io::Input;
use tandem::dialplan::change::{Change, When};
use tandem::media::command::{Clip, Event, PortId};
use tandem::wire::sip::Message;

/// Longer than any transaction lives.
const LONG: Duration = Duration::from_secs(300);

/// Plays a ladder in the usual setting.
pub fn play(ladder: &str) {
    play_in(|_| (), ladder);
}

/// Plays a ladder in a setting of its own. The panic of a failure comes after the ladder as it ran.
pub fn play_in(change: impl FnOnce(&mut Setting), ladder: &str) {
    let mut setting = Setting::default();
    change(&mut setting);
    let mut player = Player { world: World::new(&setting), last: None };
    let result = catch_unwind(AssertUnwindSafe(|| {
        for (number, line) in ladder.lines().enumerate() {
            player.line(number + 1, line.trim());
        }
        player.end();
    }));
    if let Err(panic) = result {
        eprintln!("--- the ladder as it ran ---\n{}", player.world.log.join("\n"));
        if let Some(message) = &player.last {
            eprintln!("--- the last message that was looked at ---\n{message}");
        }
        resume_unwind(panic);
    }
}

struct Player {
    world: World,
    last: Option<Message>,
}

impl Player {
    fn line(&mut self, number: usize, text: &str) {
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        let text = &self.filled_in(text);
        let line = Line::read(text);
        let fault = match line.words.as_slice() {
            ["tandem", "->", name, words @ ..] => self.expect(name, words, &line),
            [name, "->", "tandem", "noise"] => {
                let flow = self.world.peer(name).flow;
                for noise in [&b"\r\n\r\n"[..], b"", b"INVITE", b"INVITE sip:bob SIP/2.0\r\n\r\n", &[0xff; 2_000]] {
                    self.world.feed(Input::Received { flow, bytes: noise.into() });
                }
                None
            }
            [name, "->", "tandem", words @ ..] => {
                self.say(name, words, &line);
                None
            }
            ["media", name] => self.media(name, None, &line),
            ["media", name, kind] => self.media(name, Some(kind), &line),
            ["record", which @ ..] => self.record(which, &line),
            ["trunk", name] => self.trunk(name, &line),
            ["letters", count] => {
                let kept = self.world.mailbox.letters.len();
                let counted = self.world.switch.counts().stored_messages;
                (count.parse() != Ok(kept) || kept != counted)
                    .then(|| format!("{kept} are kept, and the switch counts {counted}"))
            }
            ["subscriptions", count] => {
                let counted = self.world.switch.counts().subscriptions;
                (count.parse() != Ok(counted)).then(|| format!("there are {counted}"))
            }
            ["one", "way", now, "of", all] => {
                let counts = self.world.switch.counts();
                let is = now.parse() == Ok(counts.one_way) && all.parse() == Ok(counts.one_way_total);
                (!is).then(|| format!("there are {} of {}", counts.one_way, counts.one_way_total))
            }
            ["quiet", names @ ..] => self.quiet(names),
            words => {
                self.act(words, &line);
                None
            }
        };
        if let Some(fault) = fault {
            self.world.log.push(format!("line {number}: {text}\n  {fault}"));
            panic!("line {number} of the ladder: {text}\n  {fault}");
        }
    }

    /// How the document in the message that was looked at last names its dialog, as a phone says it in Replaces.
    fn shown(&self) -> String {
        let body = self.last.as_ref().expect("a message").body();
        let body = String::from_utf8_lossy(&body).into_owned();
        let of = |name: &str| {
            let rest = body.split(&format!("{name}=\"")).nth(1).unwrap_or_else(|| panic!("{name} in {body}"));
            rest.split('"').next().expect("a value").to_owned()
        };
        format!("{};to-tag={};from-tag={}", of("call-id"), of("local-tag"), of("remote-tag"))
    }

    /// `{dialog of alice}`, `{dialog of alice one}` for a call that she laid aside, and `{escaped dialog of …}` for what
    /// stands in a URI.
    fn filled_in(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.contains("{shown}") {
            text = text.replace("{shown}", &self.shown());
        }
        for (opening, escaped) in [("{dialog of ", false), ("{escaped dialog of ", true)] {
            while let Some(start) = text.find(opening) {
                let end = start + text[start..].find('}').expect("a closing brace");
                let mut words = text[start + opening.len()..end].split(' ');
                let name = words.next().expect("a name");
                let mut dialog = self.world.peer(name).replaces(words.next());
                if escaped {
                    dialog = dialog.replace(';', "%3B").replace('=', "%3D");
                }
                text.replace_range(start..=end, &dialog);
            }
        }
        text
    }

    /// The port that hears a peer.
    fn port_of(&mut self, name: &str) -> PortId {
        let number = self.world.peer(name).heard.expect("a port");
        self.world.ports.numbered(number).expect("a port").id()
    }

    fn say(&mut self, name: &str, words: &[&str], line: &Line<'_>) {
        let peer = self.world.peer(name);
        let bytes = match words[0].parse::<u16>() {
            Ok(status) => peer.answer(status, &words[1..], line),
            Err(_) if words[0] == "forward" => peer.forward(),
            Err(_) => peer.request(words, line),
        };
        self.world.say(name, bytes);
    }

    fn expect(&mut self, name: &str, words: &[&str], line: &Line<'_>) -> Option<String> {
        // `INVITE x+`: and all of its repetitions that came.
        let (words, repeated) = match words.split_last() {
            Some((&"x+", words)) => (words, true),
            _ => (words, false),
        };
        let (words, count) = counted(words);
        for _ in 0..count {
            let wanted_100 = words[0] == "100";
            let peer = self.world.peer(name);
            while !wanted_100 && peer.inbox.front().is_some_and(is_by_the_way) {
                peer.inbox.pop_front();
            }
            let Some(message) = peer.inbox.pop_front() else { return Some(format!("nothing came to {name}")) };
            self.last = Some(message.clone());
            if !is_meant(&message, words) {
                return Some(format!("what came is {}", crate::world::summary(&message)));
            }
            let before = self.world.before.get(name);
            for item in &line.items {
                if let Some(fault) = objection(&message, item, before) {
                    return Some(format!("{item}: {fault}"));
                }
            }
            let inbox = &mut self.world.peer(name).inbox;
            while repeated && inbox.front().is_some_and(|next| next.raw() == message.raw()) {
                inbox.pop_front();
            }
        }
        None
    }

    fn quiet(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let peer = self.world.peer(name);
            let message = peer.inbox.iter().find(|message| !is_by_the_way(message))?;
            Some(format!("{name} was sent {}", crate::world::summary(message)))
        })
    }

    fn media(&mut self, name: &str, kind: Option<&str>, line: &Line<'_>) -> Option<String> {
        let Some(number) = self.world.peer(name).line(kind) else { return Some(format!("no line of {kind:?}")) };
        let Some(port) = self.world.ports.numbered(number) else { return Some(format!("there is no port {number}")) };
        let peers = &self.world.peers;
        let find = |name: &str| peers.iter().find(|peer| peer.name == name);
        let port_of = |name: &str| Some(self.world.ports.numbered(find(name)?.line(kind)?)?.id());
        line.items.iter().find_map(|item| {
            let fault = port.objection(item, |name| find(name).map(|peer| peer.sound), port_of)?;
            Some(format!("{item}: {fault}"))
        })
    }

    /// `trunk acme [up | state registered | out udp:192.0.2.1:5060 | in udp:192.0.2.2:5060 | looked up]`.
    fn trunk(&self, name: &str, line: &Line<'_>) -> Option<String> {
        let trunks = self.world.switch.trunks(self.world.now());
        let trunk = trunks.iter().find(|trunk| trunk.name == name).expect("a trunk");
        let address = |text: &str| trunk.addresses.iter().find(|address| address.address == text);
        let fits = |item: &str| match item.split_once(' ') {
            None => trunk.up == (item == "up"),
            Some(("state", state)) => trunk.state == state,
            Some(("out", text)) => address(text).is_some_and(|address| address.out_for_s.is_some()),
            Some(("in", text)) => address(text).is_some_and(|address| address.out_for_s.is_none()),
            Some(("not", "found")) => trunk.lookup_failing,
            _ => panic!("`{item}` of a trunk"),
        };
        line.items.iter().find(|item| !fits(item)).map(|item| format!("{item}: {trunk:?}"))
    }

    fn record(&mut self, which: &[&str], line: &Line<'_>) -> Option<String> {
        let records = &self.world.books.records;
        let record = match which {
            ["none"] => return (!records.is_empty()).then(|| format!("there is one: {records:#?}")),
            [number] => records.get(number.parse::<usize>().expect("a number").checked_sub(1)?),
            _ => records.last(),
        };
        let Some(record) = record else { return Some("there is none".to_owned()) };
        line.items.iter().find_map(|item| Some(format!("{item}: {}", books::objection(record, item)?)))
    }

    /// What isn't said between peers.
    fn act(&mut self, words: &[&str], line: &Line<'_>) {
        let world = &mut self.world;
        world.note(format!("          {}", words.join(" ")));
        match words {
            ["wait", time] => world.pass(span(time)),
            // Until something comes to that peer, whenever chance wants it.
            ["wait", "for", name] => {
                for _ in 0..36_000 {
                    if world.peer(name).inbox.is_empty() {
                        world.pass(Duration::from_millis(100));
                    }
                }
            }
            [name, "registers"] => self.register(name),
            [name, "calls", target] => self.call(name, target, line),
            [caller, "talks", "to", called] => self.talk(caller, called, line),
            [name, "keeps", "line", line] => world.peer(name).keep(line),
            [name, "takes", "line", line] => world.peer(name).take(line),
            [name, "is", "deaf"] => world.peer(name).deaf = true,
            [name, "is", "gone"] => world.lose(name),
            [name, "listens", "again"] => world.listen(name),
            ["silence", "of", name, time] => {
                let (number, since) = (world.peer(name).heard.expect("a port"), world.time.millis());
                let port = world.ports.numbered(number).expect("a port").id();
                let since = tandem::base::time::Time::from_millis(since - span(time).as_millis() as u64);
                world.feed(Input::Media(Event::Silent { port, since }));
            }
            ["sound", "of", name] => {
                let port = self.port_of(name);
                self.world.feed(Input::Media(Event::Heard { port }));
            }
            ["no", "sound", "of", name, time] => {
                let (port, since) = (self.port_of(name), self.world.time.millis() - span(time).as_millis() as u64);
                let since = tandem::base::time::Time::from_millis(since);
                self.world.feed(Input::Media(Event::Unheard { port, since }));
            }
            ["digit", digit, "of", name] => {
                let number = world.peer(name).heard.expect("a port");
                let port = world.ports.numbered(number).expect("a port").id();
                let digit = digit.chars().next().expect("a digit");
                world.feed(Input::Media(Event::Digit { port, digit, duration: Duration::from_millis(100) }));
            }
            ["clip", "of", name, "ends"] => {
                let number = world.peer(name).heard.expect("a port");
                let port = world.ports.numbered(number).expect("a port").id();
                world.feed(Input::Media(Event::Finished { port }));
            }
            ["file", name, outcome] => {
                let (ticket, file) = world.files.pop_front().expect("a file that is wanted");
                assert_eq!(file, *name);
                let result = match *outcome {
                    "loaded" => Ok(std::sync::Arc::new(Clip { rate: 8_000, samples: vec![0; 8_000] })),
                    why => Err(why.to_owned()),
                };
                world.feed(Input::Loaded { ticket, result });
            }
            [name, "is", "no", "user"] => world.user(name, false),
            [name, "is", "a", "user", "again"] => world.user(name, true),
            ["operator", "hangs", "up"] => {
                let id = world.books.records.last().expect("a call").id.clone();
                world.feed(Input::HangUp { id });
            }
            ["dns", "is", "silent"] => world.dns.silent = true,
            ["dns", "answers", "again"] => world.dns.silent = false,
            ["dns", "forgets", name] => world.dns.forget(name),
            ["dns", record @ ..] => world.dns.add(record),
            [name, "forwards", when, "to", number, after @ ..] => {
                let when = [When::Always, When::Busy, When::NoAnswer].into_iter().find(|known| known.as_str() == *when);
                let (when, to) = (when.expect("a time to forward"), Some((*number).to_owned()));
                let after = after.first().map(|after| span(after));
                world.change(name, &Change::Forward { when, to, after });
            }
            [name, "is", "not", "to", "be", "disturbed"] => world.change(name, &Change::DoNotDisturb { on: true }),
            ["store", "fails"] => world.mailbox.failing = true,
            ["restart"] => world.restart(),
            ["reload", "without", trunk] => {
                world.reload(|setting| setting.settings.trunks.retain(|known| known.name != *trunk));
            }
            ["reload", "with", "account", user, "at", trunk] => world.reload(|setting| {
                let credentials = setting.trunk(trunk).credentials.as_mut();
                credentials.expect("an account").username = (*user).to_owned();
            }),
            ["load", lag] => {
                for _ in 0..40 {
                    world.pass(Duration::from_millis(50));
                    world.feed(Input::Load { lag: span(lag) });
                }
            }
            ["media", "is", "busy", percent] => {
                let busy = Duration::from_millis(10 * percent.parse::<u64>().expect("percent of a core"));
                for _ in 0..40 {
                    world.pass(Duration::from_millis(50));
                    (0..4).for_each(|worker| world.feed(Input::MediaLoad { worker, busy, late: Duration::ZERO }));
                }
            }
            ["drain"] => world.feed(Input::Drain),
            ["end", "all"] => world.feed(Input::EndAll),
            ["records", "fail"] => world.feed(Input::RecordsFailing { why: Some("the disk is full".to_owned()) }),
            ["records", "are", "kept", "again"] => world.feed(Input::RecordsFailing { why: None }),
            ["ports", "fail", count] => world.ports.failing = count.parse().expect("a number"),
            ["workers", "are", "mute"] => world.ports.mute = true,
            ["ring", "full", "for", kind, count] => {
                let kinds = ["open", "configure", "connect", "dial", "close"];
                let kind = kinds.into_iter().find(|known| known == kind).expect("a kind of order");
                world.full = Some((kind, count.parse().expect("a number")));
            }
            _ => panic!("`{}` in a ladder", words.join(" ")),
        }
    }

    /// The whole of it, as phones do.
    fn register(&mut self, name: &str) {
        self.lines(&[
            &format!("{name} -> tandem REGISTER"),
            &format!("tandem -> {name} 401"),
            &format!("{name} -> tandem REGISTER (auth)"),
            &format!("tandem -> {name} 200"),
        ]);
    }

    /// An INVITE with its challenge: `alice calls bob (sdp PCMU)`.
    fn call(&mut self, name: &str, target: &str, line: &Line<'_>) {
        let items = line.items.join(" | ");
        self.lines(&[
            &format!("{name} -> tandem INVITE {target} ({items})"),
            &format!("tandem -> {name} 401"),
            &format!("{name} -> tandem INVITE {target} (auth | {items})"),
        ]);
    }

    /// A call that stands: `alice talks to bob (PCMU)`, or in two codecs `(PCMU | PCMA)`.
    fn talk(&mut self, caller: &str, called: &str, line: &Line<'_>) {
        let first = line.items.first().copied().unwrap_or("PCMU");
        let second = line.items.get(1).copied().unwrap_or(first);
        self.lines(&[
            &format!("{called} registers"),
            &format!("{caller} calls {called} (sdp {first})"),
            &format!("tandem -> {called} INVITE"),
            &format!("{called} -> tandem 180"),
            &format!("tandem -> {caller} 180"),
            &format!("{called} -> tandem 200 (sdp {second})"),
            &format!("tandem -> {called} ACK"),
            &format!("tandem -> {caller} 200"),
            &format!("{caller} -> tandem ACK"),
        ]);
    }

    fn lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.line(0, line);
        }
    }

    /// Nothing is left over.
    fn end(&mut self) {
        let names: Vec<String> = self.world.peers.iter().map(|peer| peer.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(self.quiet(&names), None, "nobody expected it");
        self.world.full = None;
        self.world.pass(LONG);
        assert_eq!(self.quiet(&names), None, "it came after the end");
        let unacknowledged = self.world.peers.iter().find(|peer| peer.unacknowledged > 0);
        assert!(unacknowledged.is_none(), "a refusal of {} has no ACK", unacknowledged.map_or("", |peer| &peer.name));
        let counts = self.world.switch.counts();
        let left = [
            counts.calls,
            counts.sessions,
            counts.transactions,
            counts.ports,
            counts.questions,
            counts.letters,
            counts.lamps,
            counts.shares,
        ];
        assert_eq!(left, [0; 8], "left over: {counts:?}");
        assert!(self.world.ports.all_closed(), "a port is open");
        assert_eq!(self.world.books.objection(), None, "a record doesn't add up");
    }
}
