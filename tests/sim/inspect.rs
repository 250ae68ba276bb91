//! Whether each side of a call hears the other one: both say something, and what comes to their ears is compared with what
//! they agreed to send and to hear.

use crate::ledger::{Speech, Story};
use crate::peer::Side;
use crate::sound::{Ear, Tag};
use crate::voice::Voice;
use crate::world::{Happening, World};
use std::time::Duration;
use tandem::base::time::Time;
use tandem::wire::description::Direction;

/// What each side says, 20 ms apart.
const FRAMES: u32 = 6;
const FRAME: Duration = Duration::from_millis(20);
/// Longer than a jitter buffer holds anything back, and shorter than the last moment before a side hangs up.
const ECHO: Duration = Duration::from_millis(200);

/// A call whose two sides are saying something.
pub struct Hearing {
    began: Time,
    /// What each had heard before, on each of its lines.
    caller: Vec<Ear>,
    /// None where the caller is alone with the gateway.
    called: Option<Vec<Ear>>,
}

impl World {
    /// Looks at a call, if both of its sides have been at rest for long enough to agree.
    pub fn inspect(&mut self, call: usize) {
        let Some((caller, called)) = self.sides(call, self.time).filter(|_| !self.hearings.contains_key(&call)) else {
            return;
        };
        let at_rest = |side: &Side<'_>| side.is_settled && self.time - side.changed >= self.settling();
        if !at_rest(&caller) || !called.as_ref().is_none_or(at_rest) || self.is_disturbed(self.time) {
            return;
        }
        let (caller, called) = (caller.voice.ears(), called.map(|side| side.voice.ears()));
        self.hearings.insert(call, Hearing { began: self.time, caller, called });
        for frame in 0..FRAMES {
            self.after(FRAME * frame, Happening::Say { call });
        }
        self.after(FRAME * FRAMES + ECHO, Happening::Compare { call });
    }

    /// Both sides say something.
    pub fn say(&mut self, call: usize) {
        let now = self.now().time;
        let calls = self.ledger.joined(call);
        let speech: Vec<Speech> = self.peers.iter_mut().flat_map(|peer| peer.say(now, &calls)).collect();
        for speech in speech {
            self.speak(speech);
        }
    }

    /// What came of it, unless something has happened to the call since.
    pub fn compare(&mut self, call: usize) {
        let Some(hearing) = self.hearings.remove(&call) else { return };
        let Some((caller, called)) = self.sides(call, hearing.began) else { return };
        let is_same = |side: &Side<'_>| side.is_settled && side.changed <= hearing.began;
        let is_alone = called.is_none();
        if !is_same(&caller) || !called.as_ref().is_none_or(is_same) || self.is_disturbed(hearing.began) {
            return;
        }
        // One of a family was an echo, and whoever was to be joined with its caller may have been sent to another one.
        let hears_itself = |side: &Side<'_>| side.voice.ear.voice.is_some_and(|(tag, _)| tag == side.voice.tag);
        let family = self.ledger.joined(call);
        let has_echo = family.len() > 1 && family.iter().any(|&call| self.ledger.stories[call].dialled == "*43");
        if has_echo && hears_itself(&caller) && called.as_ref().is_some_and(hears_itself) {
            return;
        }
        // What is heard in a room is nobody's voice alone, and nothing where nobody else is there.
        if family.iter().any(|&call| self.ledger.stories[call].dialled.starts_with("*88")) {
            return;
        }
        let mut wrong = Vec::new();
        match (&called, &hearing.called) {
            (Some(called), Some(before)) => {
                let (mine, theirs) = (caller.voice, called.voice);
                let [my_wish, their_wish] = [&caller, called].map(|side| self.wish_of(side));
                let since = hearing.began;
                self.check("caller", mine, their_wish, &hearing.caller, Some(theirs.tag), since, &mut wrong);
                self.check("called side", theirs, my_wish, before, Some(mine.tag), since, &mut wrong);
                self.check_beside("caller", mine, theirs, &hearing.caller, since, &mut wrong);
                self.check_beside("called side", theirs, mine, before, since, &mut wrong);
            }
            _ if is_alone => {
                // An echo, or a clip.
                let is_echo = self.ledger.stories[call].dialled == "*43";
                let voice = is_echo.then_some(caller.voice.tag);
                let both = Direction::SendRecv;
                self.check("caller", caller.voice, both, &hearing.caller, voice, hearing.began, &mut wrong);
            }
            _ => return,
        }
        let users: Vec<String> = [Some(&caller), called.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|side| side.user)
            .map(str::to_owned)
            .collect();
        for user in users {
            wrong.extend(self.unlit(&user));
        }
        self.inspected += 1;
        for what in wrong {
            self.ledger.violation(self.time, Some(call), format!("media: {what}"));
        }
    }

    /// The caller's side, and the one that answered it, if that isn't the gateway itself; none while there is no such call.
    /// After a transfer, the two that are left.
    fn sides(&self, call: usize, since: Time) -> Option<(Side<'_>, Option<Side<'_>>)> {
        let story = self.ledger.stories.get(call)?;
        let calls = self.ledger.joined(call);
        let mut stories = calls.iter().map(|&call| &self.ledger.stories[call]);
        // The gateway itself is referred to nobody, so that such calls stay apart.
        let all_end_here = story.is_transferred && stories.clone().all(|story| story.dialled.starts_with('*'));
        if all_end_here || stories.any(Story::is_unsure) {
            return None;
        }
        let mut sides = Vec::new();
        for peer in &self.peers {
            sides.extend(peer.sides(&calls, since)?);
        }
        // Who answered too late is about to be told so.
        let fits = match story.legs.is_empty() && !story.is_transferred {
            true => sides.len() == 1,
            false => sides.len() == 2,
        };
        if !fits {
            return None;
        }
        sides.sort_by_key(|side| !side.voice.tag.is_caller);
        let mut sides = sides.into_iter();
        Some((sides.next()?, sides.next()))
    }

    /// What a side wants, as the other one is told of it: whoever a phone holds may hear music in its place.
    fn wish_of(&self, side: &Side<'_>) -> Direction {
        let wish = side.voice.wish;
        match self.profile.music && side.user.is_some() && !wish.receives() {
            true => Direction::SendOnly,
            false => wish,
        }
    }

    /// How long a change may take to be known on both sides.
    pub fn settling(&self) -> Duration {
        match self.profile.faults.loss {
            0.0 => Duration::from_secs(12),
            // A message may have to be sent five times, and one after a glare again.
            ..0.15 => Duration::from_secs(25),
            _ => Duration::from_secs(50),
        }
    }

    /// One side, of which `other` is what the other side wants, `before` what it had heard before, and `expected` whose
    /// voice it is to hear.
    #[expect(clippy::too_many_arguments, reason = "both sides are compared in the same way")]
    fn check(
        &self,
        name: &str,
        voice: &Voice,
        other: Direction,
        before: &[Ear],
        expected: Option<Tag>,
        since: Time,
        wrong: &mut Vec<String>,
    ) {
        let wish = voice.wish;
        let (sends, hears) = (wish.sends() && other.receives(), wish.receives() && other.sends());
        if voice.believes() != Some((sends, hears)) {
            let believes = voice.believes();
            wrong.push(format!(
                "the {name} wants {wish:?}, its peer {other:?}: it believes (sends, hears) {believes:?}"
            ));
        }
        let before = before[0];
        let heard = voice.ear.heard - before.heard;
        if hears && voice.ear.loud == before.loud && self.can_reach(voice) {
            wrong.push(format!("the {name} hears nothing: {heard} packets of silence came"));
        }
        if !hears && heard > 0 {
            wrong.push(format!("the {name} is to hear nothing, and {heard} packets came"));
        }
        if let (Some(expected), Some((tag, at))) = (expected, voice.ear.voice)
            && at >= since
            && tag != expected
        {
            wrong.push(format!("the {name} hears {tag:?} in place of {expected:?}"));
        }
    }

    /// The lines beside the sound: what one side has open, the other has as well, and sees what it shows.
    fn check_beside(
        &self,
        name: &str,
        voice: &Voice,
        other: &Voice,
        before: &[Ear],
        since: Time,
        wrong: &mut Vec<String>,
    ) {
        for kind in voice.extras.iter().filter(|extra| extra.is_open).map(|extra| &extra.kind) {
            let Some((place, extra)) = voice.open_line(kind) else { continue };
            if other.open_line(kind).is_none() {
                wrong.push(format!("{kind:?} is open at the {name} alone"));
                continue;
            }
            let is_reached =
                !extra.is_hidden() || extra.port().is_some_and(|port| self.worker.knows(port, extra.public));
            let seen = extra.ear.heard - before.get(place + 1).map_or(0, |ear| ear.heard);
            let voice = extra.ear.voice.filter(|&(_, at)| at >= since);
            if is_reached && (seen == 0 || voice.is_none_or(|(tag, _)| tag != other.tag)) {
                wrong.push(format!("the {name} sees {seen} packets of {kind:?}, the last of {voice:?}"));
            }
        }
    }

    /// Whether the gateway's port has ever heard of a side, if that is behind a NAT: one that is held at once has not said
    /// a word.
    fn can_reach(&self, voice: &Voice) -> bool {
        let port = voice.gateway.map(|gateway| gateway.port());
        voice.address == voice.public || port.is_some_and(|port| self.worker.knows(port, voice.public))
    }
}
