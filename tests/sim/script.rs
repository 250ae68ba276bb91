//! What a peer is going to do in one call, drawn before it begins.

use crate::network::below;
use crate::profile::Manners;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::wire::description::Kind;
use tandem_codecs::Codec;

/// The caller's side of a call.
#[derive(Clone, Debug)]
pub struct Placing {
    pub offer: Offer,
    pub codecs: Vec<Codec>,
    /// What the phone has beside sound.
    pub shows: Vec<Kind>,
    /// Its first offer has that.
    pub shows_at_once: bool,
    /// When it gives up, unless it was answered by then.
    pub patience: Duration,
    pub talk: Talking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    InInvite,
    /// The gateway offers in its answer, and is answered in the ACK.
    Late,
    /// The same, and the ACK has no answer.
    LateUnanswered,
    /// Only a codec that the gateway doesn't have.
    Foreign,
    Unreadable,
}

/// The called side of a call.
#[derive(Clone, Debug)]
pub struct Taking {
    /// After how long it rings, and how.
    pub ring: Option<(Duration, Ringing)>,
    pub then: Then,
    /// From the INVITE on.
    pub after: Duration,
    pub codecs: Vec<Codec>,
    /// What the phone has beside sound.
    pub shows: Vec<Kind>,
    pub talk: Talking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ringing {
    Alerting,
    /// 183 with an answer, perhaps after 180.
    EarlyMedia,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Answer,
    /// 200 without SDP.
    AnswerWithoutMedia,
    Refuse(u16),
    Never,
}

/// What a side does once the call is answered.
#[derive(Clone, Debug)]
pub struct Talking {
    /// When it hangs up, if the other side hasn't by then.
    pub stay: Duration,
    pub steps: Vec<(Duration, Step)>,
    /// When it is gone without a word.
    pub vanish: Option<Duration>,
    pub stubborn: bool,
    /// It offers by UPDATE where it can.
    pub updates: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `a=sendonly`.
    Hold,
    /// `a=inactive`.
    Freeze,
    /// An address of zeros.
    HoldByZeros,
    Resume,
    /// Pictures and text are added, or dropped.
    Show,
    Hide,
    /// A re-INVITE without an offer, whose ACK has no answer.
    Empty,
    /// The other side is to talk to somebody else.
    Transfer,
    /// INFO, OPTIONS, MESSAGE.
    Ask,
}

const REFUSALS: [u16; 12] = [486, 486, 480, 404, 603, 600, 500, 503, 488, 302, 408, 403];
const SETS: [&[Codec]; 3] = [&[Codec::Pcmu, Codec::Pcma], &[Codec::Pcma], &[Codec::G722, Codec::Pcma, Codec::Pcmu]];

impl Placing {
    pub fn draw(chance: &mut Chance, manners: &Manners) -> Placing {
        let offer = match () {
            () if chance.happens(manners.odd_media) => {
                [Offer::Foreign, Offer::Unreadable, Offer::LateUnanswered][chance.below(3) as usize]
            }
            () if chance.happens(manners.late_offer) => Offer::Late,
            () => Offer::InInvite,
        };
        let patience = match chance.happens(manners.cancels) {
            // A fifth of them at once, before anything has come back.
            true if chance.below(5) == 0 => below(chance, Duration::from_millis(30)),
            true => below(chance, Duration::from_secs(9)),
            false => Duration::from_secs(250),
        };
        let shows = shows(chance, manners);
        let shows_at_once = !shows.is_empty() && chance.below(2) == 0;
        let talk = Talking::draw(chance, manners);
        Placing { offer, codecs: codecs(chance, manners), shows, shows_at_once, patience, talk }
    }
}

impl Taking {
    pub fn draw(chance: &mut Chance, manners: &Manners) -> Taking {
        let then = match () {
            () if chance.happens(manners.refuses) => {
                Then::Refuse(REFUSALS[chance.below(REFUSALS.len() as u64) as usize])
            }
            () if chance.happens(manners.never_answers) => Then::Never,
            () if chance.happens(manners.odd_media / 4.0) => Then::AnswerWithoutMedia,
            () => Then::Answer,
        };
        let ringing = if chance.happens(manners.early_media) { Ringing::EarlyMedia } else { Ringing::Alerting };
        // Some answer in the very moment, and so don't ring.
        let after = if chance.below(10) == 0 { Duration::ZERO } else { below(chance, Duration::from_secs(8)) };
        let ring = (chance.below(8) > 0).then(|| (below(chance, Duration::from_millis(800)), ringing));
        let (codecs, shows) = (codecs(chance, manners), shows(chance, manners));
        Taking { ring, then, after, codecs, shows, talk: Talking::draw(chance, manners) }
    }
}

impl Talking {
    fn draw(chance: &mut Chance, manners: &Manners) -> Talking {
        let stay = match chance.below(10) {
            0 => Duration::ZERO,
            _ if chance.happens(manners.long_talk) => Duration::from_secs(60) + below(chance, Duration::from_secs(240)),
            _ => below(chance, Duration::from_secs(40)),
        };
        let mut steps = Vec::new();
        if chance.happens(manners.holds) {
            let mut at = below(chance, Duration::from_secs(6));
            for _ in 0..1 + chance.below(3) {
                let hold = [Step::Hold, Step::Hold, Step::Freeze, Step::HoldByZeros][chance.below(4) as usize];
                steps.push((at, hold));
                at += below(chance, Duration::from_secs(8));
                if chance.below(4) > 0 {
                    steps.push((at, Step::Resume));
                }
                at += below(chance, Duration::from_secs(8));
            }
        } else if chance.happens(manners.odd_media / 5.0) {
            steps.push((below(chance, Duration::from_secs(10)), Step::Empty));
        }
        if chance.happens(manners.transfers) {
            steps.push((below(chance, Duration::from_secs(12)), Step::Transfer));
        }
        if chance.happens(manners.extended / 2.0) {
            steps.push((below(chance, Duration::from_secs(12)), Step::Ask));
        }
        if chance.happens(manners.pictures) {
            steps.push((below(chance, Duration::from_secs(15)), Step::Show));
            steps.push((below(chance, Duration::from_secs(30)), Step::Hide));
        }
        let updates = chance.happens(manners.updates);
        let vanish = chance.happens(manners.vanishes).then(|| below(chance, Duration::from_secs(20)));
        Talking { stay, steps, vanish, stubborn: chance.happens(manners.stubborn), updates }
    }
}

fn shows(chance: &mut Chance, manners: &Manners) -> Vec<Kind> {
    match chance.happens(manners.pictures) {
        false => Vec::new(),
        true => {
            [vec![Kind::Video], vec![Kind::Other("text".to_owned())], vec![Kind::Video, Kind::Other("text".to_owned())]]
                [chance.below(3) as usize]
                .clone()
        }
    }
}

fn codecs(chance: &mut Chance, manners: &Manners) -> Vec<Codec> {
    match chance.happens(manners.opus) {
        true => vec![Codec::Opus, Codec::Pcmu],
        false => SETS[chance.below(SETS.len() as u64) as usize].to_vec(),
    }
}
