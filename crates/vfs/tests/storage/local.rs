//! The user's own files on the client side.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use e2eeftp_vfs::{ErrorKind, Overwrite, StageOptions, local};

use crate::support::{QUICK, host_names, kind, read_all, write};

#[test]
fn sources_follow_links_and_must_be_files() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), b"content").unwrap();
    symlink(at("file"), at("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for name in ["file", "link"] {
        let source = local::open_source(&at(name)).unwrap();
        assert_eq!(read_all(&*source).unwrap(), b"content");
        source.check_unchanged().unwrap();
    }
    assert_eq!(kind(local::open_source(&at("pipe"))), ErrorKind::NotRegular);
    assert_eq!(kind(local::open_source(Path::new("/dev/null"))), ErrorKind::NotRegular);
    assert_eq!(kind(local::open_source(directory.path())), ErrorKind::IsDirectory);
    assert_eq!(kind(local::open_source(&at("gone"))), ErrorKind::NotFound);
    assert_eq!(kind(local::open_source(&at("file/x"))), ErrorKind::NotDirectory);
}

#[test]
fn staging_is_the_same_as_in_a_storage() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("target"), b"kept").unwrap();
    symlink(at("target"), at("link")).unwrap();
    let options = StageOptions { make_parents: true, ..StageOptions::default() };
    for name in ["new", "deep/er/new", "link"] {
        let mut staged = local::stage(&at(name), &options).unwrap();
        write(&mut *staged, b"new", 0).unwrap();
        staged.commit(&QUICK).unwrap();
        assert_eq!(fs::read(at(name)).unwrap(), b"new");
    }
    assert_eq!(fs::read(at("target")).unwrap(), b"kept");
    drop(local::stage(&at("dropped"), &options).unwrap());
    assert_eq!(host_names(directory.path()), ["deep", "link", "new", "target"]);
    let refuse = StageOptions { overwrite: Overwrite::Refuse, ..StageOptions::default() };
    assert_eq!(kind(local::stage(&at("new"), &refuse)), ErrorKind::Exists);
}

#[test]
fn what_is_no_file_name_or_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    symlink(directory.path(), at("dir-link")).unwrap();
    symlink("/dev/null", at("null-link")).unwrap();
    let stage = |path: &Path| kind(local::stage(path, &StageOptions::default()));
    assert_eq!(stage(directory.path()), ErrorKind::IsDirectory);
    assert_eq!(stage(&at("dir-link")), ErrorKind::IsDirectory);
    assert_eq!(stage(&at("new/")), ErrorKind::IsDirectory);
    assert_eq!(stage(Path::new("/")), ErrorKind::IsDirectory);
    assert_eq!(stage(Path::new(".")), ErrorKind::IsDirectory);
    assert_eq!(stage(Path::new("")), ErrorKind::BadPath);
    assert_eq!(stage(Path::new("..")), ErrorKind::BadPath);
    assert_eq!(stage(&at("x\0y")), ErrorKind::BadPath);
    assert_eq!(stage(&at(&"x".repeat(256))), ErrorKind::BadPath);
    assert_eq!(stage(&at(".e2eeftp-x")), ErrorKind::BadPath);
    assert_eq!(stage(&at("gone/x")), ErrorKind::NotFound);
    assert_eq!(stage(Path::new("/dev/null")), ErrorKind::NotRegular);
    assert_eq!(stage(&at("null-link")), ErrorKind::NotRegular);
}

#[test]
fn what_killed_processes_left_goes_with_the_next_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let orphan = ".e2eeftp-0123456789abcdef0123456789abcdef.part";
    fs::create_dir(at("below")).unwrap();
    for name in [orphan, "below/.e2eeftp-0123456789abcdef0123456789abcdef.part", "file.part"] {
        fs::write(at(name), b"half").unwrap();
    }
    symlink(at("file.part"), at(".e2eeftp-link.part")).unwrap();
    let living = local::stage(&at("first"), &StageOptions::default()).unwrap();
    let mut staged = local::stage(&at("below/second"), &StageOptions::default()).unwrap();
    write(&mut *staged, b"new", 0).unwrap();
    staged.commit(&QUICK).unwrap();
    assert_eq!(host_names(&at("below")), ["second"]);
    // Back here: what is in use is not touched.
    drop(local::stage(&at("third"), &StageOptions::default()).unwrap());
    assert!(!at(orphan).exists());
    living.commit(&QUICK).unwrap();
    assert_eq!(host_names(directory.path()), [".e2eeftp-link.part", "below", "file.part", "first"]);
}

#[test]
fn a_file_where_a_directory_is_needed_is_named_as_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), b"kept").unwrap();
    for make_parents in [false, true] {
        let options = StageOptions { make_parents, ..StageOptions::default() };
        for name in ["file/x", "file/x/y"] {
            assert_eq!(kind(local::stage(&at(name), &options)), ErrorKind::NotDirectory);
        }
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"kept");
}
