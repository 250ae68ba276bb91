//! What must be true of a run: of each call as its caller, the phones that rang and the books tell it, and of what is left
//! when all is over.

use crate::books::Books;
use crate::ledger::{Final, Leg, Story};
use crate::office;
use crate::reference;
use crate::world::{DAWN, World};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use tandem::base::time::{Time, Wall};
use tandem::call::record::{CallRecord, EndedBy, State};

/// A transaction lives for 64*T1, and the one that follows it may have to as well.
const PATIENCE: Duration = Duration::from_secs(75);

impl World {
    /// Nobody talks, rings or waits any more.
    pub fn is_at_peace(&self) -> bool {
        self.switch.counts().calls == 0
            && self.switch.counts().sessions == 0
            && self.peers.iter().all(|peer| peer.is_idle())
    }

    /// The switch holds nothing but registrations.
    pub fn is_at_rest(&self) -> bool {
        let counts = self.switch.counts();
        counts.calls == 0
            && counts.sessions == 0
            && counts.transactions == 0
            && counts.ports == 0
            // Letters that were ever kept are looked over once more.
            && counts.timers <= usize::from(!self.ledger.letters.is_empty())
            && counts.questions == 0
            && counts.requests == 0
            && counts.letters == 0
            && counts.subscriptions == 0
            && counts.publications == 0
            && counts.lamps == 0
            && counts.shares == 0
    }
}

/// What goes on although everybody has had more than enough time.
pub fn unfinished(world: &mut World) {
    let views = world.switch.calls();
    for view in &views {
        world.ledger.violation(world.time, None, format!("a call goes on: {view:?}"));
    }
    let open: Vec<_> = world.books.open().map(|record| crate::books::call_of(record, &world.ledger)).collect();
    for call in open {
        world.ledger.violation(world.time, call, "its record is still open");
    }
}

/// Nobody is in a call any more: whoever watches sees that.
pub fn lamps(world: &mut World, quiet: Duration) {
    for what in world.still_lit(quiet) {
        world.ledger.violation(world.time, None, what);
    }
}

pub fn judge(world: &mut World) {
    let mut lost = Vec::new();
    if !world.is_at_rest() {
        let what = format!("left over: {:?}", world.switch.counts());
        world.ledger.violation(world.time, None, what);
    }
    if world.switch.counts().registrations > 0 {
        world.ledger.violation(world.time, None, "registrations that never expire");
    }
    if let Some(remains) = world.worker.remains() {
        world.ledger.violation(world.time, None, format!("left over in the worker: {remains}"));
    }
    for trunk in world.switch.trunks(world.gateway_now()) {
        if trunk.calls > 0 {
            let what = format!("trunk {} still counts {} calls", trunk.name, trunk.calls);
            world.ledger.violation(world.time, None, what);
        }
    }
    for (number, letter) in world.ledger.letters.iter().enumerate() {
        let body = format!("letter {number}");
        let is_kept = world.mailbox.letters.values().any(|kept| kept.body == body);
        // What is kept for somebody goes with the account.
        let is_forgotten = letter.to == office::LEAVER && !world.profile.troubles.reload.is_zero();
        if letter.promised.is_some() && letter.arrived.is_none() && !is_kept && !is_forgotten {
            lost.push(format!("letter {number} is lost: {letter:?}"));
        }
    }
    for what in lost {
        world.ledger.violation(world.time, None, what);
    }
    let mut wrong = Vec::new();
    for (call, story) in world.ledger.stories.iter().enumerate() {
        let records = world.books.of_caller(&story.call_id);
        let judge = Judge { world, story };
        for what in judge.faults(&records) {
            wrong.push((call, what));
        }
    }
    for (call, what) in wrong {
        world.ledger.violation(world.time, Some(call), what);
    }
}

struct Judge<'a> {
    world: &'a World,
    story: &'a Story,
}

impl Judge<'_> {
    fn faults(&self, records: &[&CallRecord]) -> Vec<String> {
        let mut wrong = Vec::new();
        let story = self.story;
        if story.vanished.is_none() && !story.is_rude() {
            if story.finals.len() != 1 {
                wrong.push(format!("the caller has {} final answers", story.finals.len()));
            } else if !story.is_over() {
                wrong.push("the caller's session never ended".to_owned());
            }
        }
        let fewest = usize::from(self.must_have_record());
        // Whoever repeats a request in another form calls again.
        let is_often_booked = story.is_rude() || story.is_transferred;
        let most = if is_often_booked { usize::MAX } else { usize::from(!self.is_unknown()) };
        if !(fewest..=most).contains(&records.len()) {
            wrong.push(format!("{} records for one call", records.len()));
        }
        if let [record] = records
            && !story.is_transferred
        {
            self.compare(record, &mut wrong);
        }
        for (call_id, leg) in &story.legs {
            let id = call_id.split(' ').next().unwrap_or_default();
            let record = self.world.books.of_leg(id).or(records.first().copied());
            self.leg(call_id, leg, record, &mut wrong);
        }
        wrong
    }

    fn final_answer(&self) -> Option<&Final> {
        self.story.finals.first().map(|(_, how)| how)
    }

    fn must_have_record(&self) -> bool {
        match self.final_answer() {
            Some(Final::Answered) => true,
            Some(Final::Refused { status, reason }) => {
                // Where no record can be kept there is no call.
                let unwilling = reason == "No Records";
                // Whoever a reload took away, or who isn't found again yet, is a stranger.
                let profile = &self.world.profile;
                let reloads = !profile.troubles.reload.is_zero();
                let is_lost = match self.story.caller.as_str() {
                    "globex" => reloads || profile.names.fails > 0.0 || profile.names.slow > Duration::from_secs(1),
                    office::LEAVER => reloads,
                    _ => false,
                } && matches!(status, 401 | 403);
                let unknown = is_lost || self.is_unknown() && matches!(status, 401 | 403);
                !unwilling && !unknown
            }
            Some(Final::Failed | Final::Cancelled { .. }) | None => false,
        }
    }

    fn is_unknown(&self) -> bool {
        ["guesser", "stranger"].contains(&self.story.caller.as_str())
    }

    /// The record against what the caller saw.
    fn compare(&self, record: &CallRecord, wrong: &mut Vec<String>) {
        let story = self.story;
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        must(record.state == State::Closed, format!("its record is {:?}", record.state));
        let agrees = match self.final_answer() {
            Some(Final::Answered) => record.status == 200,
            Some(Final::Refused { status, .. }) => record.status == *status,
            Some(Final::Cancelled { status: 408 } | Final::Failed) | None => true,
            Some(Final::Cancelled { status }) => record.status == *status,
        };
        must(agrees, format!("the caller saw {:?}, its record says {}", self.final_answer(), record.status));
        let answered = story.legs.values().any(|leg| leg.answered.is_some());
        if record.answered.is_some() && !story.legs.is_empty() && !story.is_tainted() {
            must(answered, "it counts as answered, and nobody has answered".to_owned());
        }
        let caller_left = story.hung_up.is_some() || story.gave_up.is_some();
        let gives_up = |how: &str| ["NoAck", "PeerGone", "Expired"].iter().any(|ending| how.contains(ending));
        let caller_lost = story.ended.as_ref().is_some_and(|(_, how)| gives_up(how));
        if record.ended_by == EndedBy::Caller {
            must(caller_left || caller_lost || story.is_rude(), "its record says that the caller ended it".to_owned());
        }
        let callee_left = story
            .legs
            .values()
            .any(|leg| leg.hung_up.is_some() || leg.over.as_ref().is_some_and(|(_, how)| gives_up(how)));
        if record.ended_by == EndedBy::Callee && record.answered.is_some() {
            must(callee_left || story.is_tainted(), "its record says that the called side ended it".to_owned());
        }
        if self.is_perfect() {
            self.compare_times(record, wrong);
            self.compare_way(wrong);
            // Its refusal of our request may overtake the BYE of one who hung up.
            let ends_itself =
                record.answered.is_some() && record.ended_by == EndedBy::Gateway && !caller_left && !callee_left;
            if ends_itself && !reference::ENDINGS.iter().any(|ending| record.cause.starts_with(ending)) {
                wrong.push(format!("the gateway ended it, since {}", record.cause));
            }
        }
        if self.world.profile.worker.forgets == 0.0
            && self.world.profile.sound.duplication == 0.0
            && !story.is_tainted()
        {
            self.compare_traffic(record, wrong);
        }
    }

    /// A leg's report counts no more than its peer has said, and no less than it has heard.
    fn compare_traffic(&self, record: &CallRecord, wrong: &mut Vec<String>) {
        let of_leg = |call_id: &String| self.story.legs.get(call_id).map(|leg| leg.traffic);
        for (index, entry) in record.legs.iter().enumerate() {
            let traffic = if index == 0 { Some(self.story.traffic) } else { of_leg(&entry.call_id) };
            let (Some((said, heard)), Some(report)) = (traffic, entry.media) else { continue };
            // A straggler of an earlier call may come to a port that has been given out again.
            let is_strange = report.received_packets > said && self.world.profile.sound.reordering == 0.0;
            if is_strange || report.sent_packets < heard {
                let (received, sent) = (report.received_packets, report.sent_packets);
                let counted = format!("received {received} and sent {sent}");
                wrong.push(format!("leg {index} said {said} packets and heard {heard}: its record {counted}"));
            }
        }
    }

    fn is_perfect(&self) -> bool {
        self.world.profile.is_calm() && !self.story.is_tainted()
    }

    /// On a perfect network the books know each moment to a fraction of a second.
    fn compare_times(&self, record: &CallRecord, wrong: &mut Vec<String>) {
        let story = self.story;
        let near = |wall: Wall, time: Time| {
            let micros = wall.micros() - DAWN.micros() - (time.nanos() / 1_000) as i64;
            micros.abs() < 500_000
        };
        let answer = story.finals.iter().find(|(_, how)| *how == Final::Answered).map(|&(at, _)| at);
        if let (Some(wall), Some(time)) = (record.answered, answer)
            && !near(wall, time)
        {
            wrong.push("the time of the answer is not the caller's".to_owned());
        }
        let left = story.hung_up.or(story.gave_up).into_iter();
        let left = left.chain(story.legs.values().filter(|leg| leg.acked).filter_map(|leg| leg.hung_up)).min();
        if let (Some(wall), Some(time), EndedBy::Caller | EndedBy::Callee) = (record.ended, left, record.ended_by)
            && record.answered.is_some()
            && !near(wall, time)
        {
            wrong.push(format!("somebody hung up at {time:?}, and the record ends at {}", wall.rfc3339()));
        }
    }

    /// Where nothing is lost, what the peers did says what the caller must be told, and who else may be called.
    fn compare_way(&self, wrong: &mut Vec<String>) {
        let story = self.story;
        let Some((at, how)) = story.finals.first() else { return };
        if let Final::Refused { status, reason } = how
            && !reference::reasons(story).contains(status)
        {
            wrong.push(format!("the caller is told {status} {reason}, which nothing explains"));
        }
        // One that refuses in the same moment may be known to do so before it is known to ring.
        let at_once = |leg: &&Leg| leg.over.as_ref().is_some_and(|(over, _)| leg.rang == Some(*over));
        let rang = story.legs.values().filter(|leg| !at_once(leg)).filter_map(|leg| leg.rang).min();
        if rang.is_some_and(|rang| rang + Duration::from_millis(200) < *at) && !story.heard_ringing {
            wrong.push("a phone rang and its caller didn't hear of it".to_owned());
        }
        // Some have their calls sent on while they are busy.
        let refusing = story.legs.values().filter(|leg| !office::FORWARDING.contains(&leg.peer.as_str()));
        let refusals = refusing.filter_map(|leg| Some((leg.refused?, leg.over.as_ref()?.0)));
        // The ports of those who are called at the same time may be open a third of a second later.
        for (status, at) in refusals.filter(|(status, _)| [486, 600, 603].contains(status)) {
            if let Some(leg) = story.legs.values().find(|leg| leg.invited > at + Duration::from_millis(400)) {
                wrong.push(format!("{} was called after an answer of {status}", leg.peer));
            }
        }
        let gave_up = story.gave_up.is_some();
        let first = story.legs.values().find(|leg| leg.peer == "acme" && leg.refused.is_some());
        if let Some(leg) = first.filter(|_| story.dialled.starts_with('2') && !gave_up) {
            let status = leg.refused.unwrap_or_default();
            let goes_on = status == 404 || status == 408 || (500..600).contains(&status);
            let went_on = story.legs.len() > 1 || reason_of(how) == "Trunk Full";
            if goes_on != went_on {
                wrong.push(format!("acme's {status} leads on: {goes_on}; another was called: {went_on}"));
            }
        }
    }

    /// A phone that was called: it must know that the call is over.
    fn leg(&self, call_id: &str, leg: &Leg, record: Option<&CallRecord>, wrong: &mut Vec<String>) {
        let peer = &leg.peer;
        let Some(record) = record else { return wrong.push(format!("{peer} was called, and there is no record")) };
        let call_id = call_id.split(' ').next().unwrap_or_default();
        let Some(entry) = record.legs.iter().find(|entry| entry.call_id == call_id) else {
            return wrong.push(format!("{peer} was called, and the record doesn't know"));
        };
        // For who was left out it is over when another one answers.
        let ended = match record.answered.filter(|_| entry.answered.is_none()) {
            Some(answered) => Some(answered),
            None => record.ended,
        };
        let ended = match self.world.profile.troubles.clock_jump.is_zero() {
            true => ended.map_or(Time::ZERO, since_dawn),
            // What its clock says is of no use.
            false => self.world.books.moments(&record.id).closed.unwrap_or_default(),
        };
        let patience = if self.is_perfect() { Duration::from_secs(1) } else { PATIENCE };
        if !self.story.is_transferred && leg.invited > ended + self.world.profile.faults.longest() + patience {
            wrong.push(format!("{peer} was called at {:?}, long after the end", leg.invited));
        }
        let end = leg.over.as_ref().map_or(self.world.time, |(at, _)| *at);
        if leg.vanished.is_some() || !self.world.knows_of(call_id) || self.world.was_cut(ended, end) {
            return;
        }
        match &leg.over {
            None => wrong.push(format!("{peer} was never told that the call is over")),
            // A leg that moved to another call ends with that.
            Some(_) if self.story.is_transferred => {}
            Some((at, how)) if *at > ended.max(leg.invited) + patience + self.world.profile.faults.longest() => {
                wrong.push(format!("{peer} learnt at {at:?} that the call is over ({how}), which it was at {ended:?}"));
            }
            Some(_) => {}
        }
        if let Some(status) = leg.refused
            && self.is_perfect()
            && ![status, 487, 408].contains(&entry.status)
            && entry.reason != "answered elsewhere"
        {
            wrong.push(format!("{peer} refused with {status}, its leg says {} {}", entry.status, entry.reason));
        }
    }
}

fn reason_of(how: &Final) -> &str {
    match how {
        Final::Refused { reason, .. } => reason,
        _ => "",
    }
}

fn since_dawn(wall: Wall) -> Time {
    let micros = u64::try_from(wall.micros() - DAWN.micros()).unwrap_or(0);
    Time::ZERO + Duration::from_micros(micros)
}

/// What happened in a run, and how often: what never happens there isn't tested there.
pub fn variety(world: &World) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for story in &world.ledger.stories {
        match story.finals.first() {
            Some((_, Final::Answered)) | None => {}
            Some((_, Final::Refused { status, .. })) => count(format!("refused {status}")),
            Some((_, Final::Failed)) => count("no answer at all".to_owned()),
            Some((_, Final::Cancelled { status })) => count(format!("cancelled {status}")),
        }
        let answers = story.legs.values().filter(|leg| leg.answered.is_some()).count();
        if answers > 1 {
            count("answered by several phones".to_owned());
        }
    }
    for record in world.books.iter() {
        let trunks = record.legs.iter().skip(1).filter(|leg| leg.target.starts_with("trunk:")).count();
        if trunks > 1 {
            count("tried two trunks".to_owned());
        }
        if record.answered.is_some() {
            count(format!("talk ended by {:?}", record.ended_by));
            if record.ended_by == EndedBy::Gateway {
                count(format!("- {}", record.cause.replace(|letter: char| letter.is_ascii_digit(), "")));
            }
        }
    }
    counts.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join(", ")
}

/// A call in a few lines.
pub fn sketch(story: &Story, books: &Books) -> String {
    let mut text = format!(
        "{} dials {} ({:?}) at {:?}; {:?}, gave up {:?}, hung up {:?}, ended {:?}, vanished {:?}\n",
        story.caller,
        story.dialled,
        story.offer,
        story.placed,
        story.finals,
        story.gave_up,
        story.hung_up,
        story.ended,
        story.vanished
    );
    for (call_id, leg) in &story.legs {
        let _ = writeln!(text, "  {call_id}: {leg:?}");
    }
    for record in books.of_caller(&story.call_id) {
        let _ = writeln!(text, "  {record:?}");
    }
    text
}
