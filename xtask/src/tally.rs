//! What the runners counted: cargo's, node's and vitest's own closing lines, read and summed.

use std::fs;

use anyhow::{Context, bail};

use crate::run::{Ended, root};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// Reads a runner's closing lines.
pub fn count(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        let words: Vec<&str> = line
            .split([' ', ';', '|', '(', ')'])
            .filter(|word| !word.is_empty())
            .collect();
        let before = |what: &str| -> u64 {
            let at = words.iter().position(|word| *word == what);
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok())
                .unwrap_or(0)
        };
        match words.as_slice() {
            ["test", "result:", ..] => {
                tally.passed += before("passed");
                tally.failed += before("failed");
                tally.skipped += before("ignored");
            }
            ["#", what, number] => match (*what, number.parse::<u64>()) {
                ("pass", Ok(number)) => tally.passed += number,
                ("fail" | "cancelled", Ok(number)) => tally.failed += number,
                ("skipped" | "todo", Ok(number)) => tally.skipped += number,
                _ => {}
            },
            ["Tests", ..] => {
                tally.passed += before("passed");
                tally.failed += before("failed");
                tally.skipped += before("skipped") + before("todo");
            }
            _ => {}
        }
    }
    tally
}

/// The skips that are allowed, a line each: `NUMBER REASON`.
fn permitted() -> anyhow::Result<u64> {
    let text = fs::read_to_string(root().join("tests/permitted-skips.txt"))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            line.split(' ')
                .next()
                .and_then(|number| number.parse::<u64>().ok())
                .context("no number")
        })
        .sum()
}

/// Prints the sum and says whether all is well.
///
/// # Errors
/// When a step failed, a test failed, or something was skipped that may not be.
pub fn conclude(steps: &[Ended]) -> anyhow::Result<()> {
    let mut sum = Tally::default();
    println!("\n== Summary");
    for step in steps {
        let tally = count(&step.output);
        let state = if step.succeeded { "ok" } else { "FAILED" };
        println!(
            "{state:>6}  {} ({} passed, {} failed, {} skipped)",
            step.name, tally.passed, tally.failed, tally.skipped
        );
        sum.passed += tally.passed;
        sum.failed += tally.failed;
        sum.skipped += tally.skipped;
    }
    let broken: Vec<&str> = steps
        .iter()
        .filter(|step| !step.succeeded)
        .map(|step| step.name.as_str())
        .collect();
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    if !broken.is_empty() || sum.failed > 0 {
        bail!("failed: {}", broken.join(", "));
    }
    if sum.skipped > permitted()? {
        bail!(
            "{} tests were skipped; tests/permitted-skips.txt allows {}",
            sum.skipped,
            permitted()?
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        let cargo = "test result: ok. 19 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            count(cargo),
            Tally {
                passed: 19,
                failed: 1,
                skipped: 2
            }
        );
        assert_eq!(
            count("# pass 7\n# fail 0\n# skipped 1\n# todo 0"),
            Tally {
                passed: 7,
                failed: 0,
                skipped: 1
            }
        );
        let vitest = "      Tests  1 failed | 3 passed | 2 skipped (6)";
        assert_eq!(
            count(vitest),
            Tally {
                passed: 3,
                failed: 1,
                skipped: 2
            }
        );
    }
}
