//! What is wrong in a file that an operator wrote, where, and how it is mended.

use std::cell::RefCell;
use std::fmt;

/// One mistake, shown as `file:line: what; mend`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// Counted from 1; none where the place isn't in a file, such as the environment.
    pub line: Option<u32>,
    pub what: String,
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Place { file: self.file.clone(), line: self.line })?;
        write!(f, ": {}; {}", self.what, self.mend)
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    pub file: String,
    pub line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Why a text isn't the value it should be. The place is added by whoever read the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub what: String,
    pub mend: String,
}

impl Wrong {
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Wrong {
        Wrong { what: what.into(), mend: mend.into() }
    }
}

/// Collects problems while reading goes on, so that none hides another.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub fn report(&self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Problem { file: place.file.clone(), line: place.line, what: what.into(), mend: mend.into() });
    }

    pub fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All problems, file by file and from the top down.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// The mend for a word that nobody knows: the nearest known one where it could be a slip, and all of them otherwise.
pub fn nearest_known(word: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|candidate| (edits(word, candidate), *candidate)).min();
    match nearest {
        Some((distance, candidate)) if distance <= 1 + candidate.chars().count() / 3 => {
            format!("did you mean `{candidate}`?")
        }
        Some((_, candidate)) => {
            format!("the nearest known one is `{candidate}`, of: {}", known.join(", "))
        }
        None => "remove it".to_owned(),
    }
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour to get from one to the other.
fn edits(one: &str, other: &str) -> usize {
    let lower = |text: &str| text.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (one, other) = (lower(one), lower(other));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut cost = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(a != b));
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_fault_and_mend() {
        let mut problem = Problem {
            file: "tandem.toml".into(),
            line: Some(3),
            what: "unknown key `domian`".into(),
            mend: "did you mean `domain`?".into(),
        };
        assert_eq!(problem.to_string(), "tandem.toml:3: unknown key `domian`; did you mean `domain`?");
        problem.line = None;
        assert_eq!(problem.to_string(), "tandem.toml: unknown key `domian`; did you mean `domain`?");
    }

    #[test]
    fn edits_count_swaps_as_one() {
        assert_eq!(edits("domian", "domain"), 1);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("Host", "host"), 0);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn a_far_word_gets_the_whole_list() {
        assert_eq!(nearest_known("udq", &["udp", "tcp"]), "did you mean `udp`?");
        assert_eq!(nearest_known("zzzzzzzz", &["udp", "tcp"]), "the nearest known one is `tcp`, of: udp, tcp");
        assert_eq!(nearest_known("x", &[]), "remove it");
    }
}
