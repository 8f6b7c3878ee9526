//! Every target with its corpus, then with what chance makes of it: for two seconds, or for as
//! long as `FUZZ_SECONDS` says. `LONGSHORE_SEED` repeats a run.

use libtest_mimic::{Arguments, Failed, Trial};
use longshore_fuzz::{Found, Target, corpus, hunt, targets};
use std::process::ExitCode;
use std::time::Duration;

/// How long each target is fed, if nobody says how long.
const SECONDS: u64 = 2;
/// The process may have held so much at its fullest, in KiB; all targets together, two at a time.
const MEMORY: u64 = 1 << 20;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // A machine that is busy with itself makes inputs look slow.
    args.test_threads.get_or_insert(1);
    let names = targets::all().iter().map(|target| target.name()).collect::<Vec<_>>();
    let mut trials: Vec<Trial> = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let fresh = move || targets::all().swap_remove(place);
        trials.push(Trial::test(format!("{name}::known_inputs"), move || known(&mut *fresh())));
        trials.push(Trial::test(format!("{name}::new_inputs"), move || new(&mut *fresh())));
    }
    trials.push(Trial::test("memory_stays_bounded", memory_stays_bounded));
    libtest_mimic::run(&args, trials).exit_code()
}

/// Each by itself, so that the one which breaks something is named.
fn known(target: &mut dyn Target) -> Result<(), Failed> {
    for (name, input) in corpus(target.name())? {
        hunt(target, vec![input], Duration::ZERO, 0)
            .map_err(|found| Failed::from(format!("{name}: {}", found.wrong)))?;
    }
    Ok(())
}

fn new(target: &mut dyn Target) -> Result<(), Failed> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("FUZZ_SECONDS").unwrap_or(SECONDS);
    let seed = number("LONGSHORE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let inputs = corpus(target.name())?.into_iter().map(|(_, input)| input).collect();
    let hunted = hunt(target, inputs, Duration::from_secs(seconds), seed)
        .map_err(|found| kept(target.name(), seed, &found))?;
    eprintln!("{}, seed {seed}: {hunted:?}", target.name());
    if hunted.accepted == 0 || hunted.signs < 3 {
        return Err(format!("nothing was reached: {hunted:?}").into());
    }
    Ok(())
}

/// Keeps what broke something, to be added to the corpus.
fn kept(name: &str, seed: u64, found: &Found) -> Failed {
    let path = std::env::temp_dir().join(format!("longshore-fuzz-{name}-{seed}"));
    let kept = match std::fs::write(&path, &found.input) {
        Ok(()) => format!("the input is kept in {}", path.display()),
        Err(error) => format!("the input could not be kept: {error}"),
    };
    let input = String::from_utf8_lossy(&found.input);
    format!("{} (seed {seed}; {kept})\n{input:.500}", found.wrong).into()
}

fn memory_stays_bounded() -> Result<(), Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let held: u64 = line.ok_or("no VmHWM")?.trim().trim_end_matches(" kB").parse()?;
    if held > MEMORY { Err(format!("{held} KiB were held").into()) } else { Ok(()) }
}
