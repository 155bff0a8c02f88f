//! A directory that is swapped for a link to outside while operations run beneath it.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use e2eeftp_vfs::{CopyOptions, ErrorKind, RenameOptions, Resolver, StageOptions, Staged, Storage};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{CANARY, RESOLVERS, Site, StopOnDrop, Unwatched, get, list, path, put};

/// At least so many operations, and as many more as it takes to meet the swap often enough.
const OPERATIONS: u32 = 20_000;
const SWAPS: u32 = 2_000;
const MET_OFTEN: u32 = 200;
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn the_canary_survives_a_swapping_directory() {
    for resolver in RESOLVERS {
        for relative in [false, true] {
            race(resolver, relative);
        }
    }
}

fn race(resolver: Resolver, relative: bool) {
    let site = Site::new(resolver);
    fs::create_dir_all(site.host("d/sub")).unwrap();
    let target = if relative { "../outside".into() } else { site.outside() };
    symlink(target, site.host("link")).unwrap();
    fs::write(site.host("inside"), b"inside").unwrap();
    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut operations, mut successes, mut refusals) = (0_u32, 0_u32, 0_u32);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (d, link) = (site.host("d"), site.host("link"));
                renameat_with(CWD, d, CWD, link, RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stop = StopOnDrop(&stop);
        while operations < OPERATIONS
            || swaps.load(Ordering::Relaxed) < SWAPS
            || successes.min(refusals) < MET_OFTEN
        {
            match operation(&site, operations) {
                Ok(()) => successes += 1,
                Err(ErrorKind::NotPermitted) => refusals += 1,
                // What earlier operations created or removed, or a swap in the middle of one.
                Err(
                    ErrorKind::NotFound
                    | ErrorKind::NotDirectory
                    | ErrorKind::Exists
                    | ErrorKind::Busy,
                ) => {}
                Err(other) => panic!("unexpected {other:?}"),
            }
            operations += 1;
            let met = (swaps.load(Ordering::Relaxed), successes, refusals);
            assert!(start.elapsed() < DEADLINE, "{resolver:?}: swaps, successes, refusals {met:?}");
        }
    });
    site.assert_outside_untouched();
}

fn operation(site: &Site, round: u32) -> Result<(), ErrorKind> {
    let storage = &site.storage;
    let secret = path("d/secret");
    let (moving, copying) = (RenameOptions::default(), CopyOptions::default());
    let trees = CopyOptions { recursive: true, ..CopyOptions::default() };
    let copy =
        |from, to, options| storage.copy(&path(from), &path(to), options, &Unwatched).map(drop);
    let result = match round % 14 {
        0 => put(storage, &secret, b"inside").map(drop),
        1 | 2 => get(storage, &secret).map(|content| {
            assert_eq!(content, b"inside", "read from outside");
        }),
        3 => list(storage, &path("d")).map(drop),
        4 => storage.remove_file(&secret),
        7 => copy("d/secret", "copied", &copying).inspect(|()| {
            assert_eq!(get(storage, &path("copied")).unwrap(), b"inside", "copied from outside");
        }),
        8 => copy("inside", "d/secret", &copying),
        9 => copy("d", "tree", &trees).inspect(|()| {
            let copied = get(storage, &path("tree/secret"));
            assert_ne!(copied.unwrap_or_default(), CANARY, "copied from outside");
        }),
        10 => copy("tree", "d/tree", &trees),
        11 => storage.rename(&path("d/secret"), &path("moved"), &moving).inspect(|()| {
            assert_eq!(get(storage, &path("moved")).unwrap(), b"inside", "moved from outside");
        }),
        12 => storage.rename(&path("moved"), &path("d/secret"), &moving),
        5 => storage.make_directory(&path("d/sub/deeper"), true),
        6 => storage.remove_directory(&path("d/sub"), true),
        _ => storage
            .stage(&secret, &StageOptions { make_parents: true, ..StageOptions::default() })
            .and_then(Staged::abort),
    };
    result.map_err(|error| error.kind())
}
