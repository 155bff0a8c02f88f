//! Permission bits of new files.

use std::sync::OnceLock;

use crate::sys::fs::{Mode, RawMode};

/// What is used when the umask can't be learned: nothing for group and others.
const STRICT_UMASK: u32 = 0o077;

/// The bits of a final file: those asked for, else what `open` with `0o666` would have given.
pub(crate) fn final_mode(requested: Option<u32>) -> Mode {
    let bits = requested.map_or_else(|| 0o666 & !umask(), |mode| mode & 0o777);
    // At most 0o777, which fits the narrowest `mode_t`.
    RawMode::try_from(bits).map_or(Mode::RUSR | Mode::WUSR, Mode::from_raw_mode)
}

/// The umask of the process as it was at the first call.
///
/// The system call `umask` can only read by changing, which would race with other threads, so the
/// value comes from `/proc/self/status` (Linux 4.7). Without it, [`STRICT_UMASK`] is assumed.
pub(crate) fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = std::fs::read("/proc/self/status").unwrap_or_default();
        parse_umask(&status).unwrap_or(STRICT_UMASK)
    })
}

fn parse_umask(status: &[u8]) -> Option<u32> {
    let line = status.split(|&byte| byte == b'\n').find_map(|l| l.strip_prefix(b"Umask:"))?;
    let digits = std::str::from_utf8(line).ok()?.trim();
    u32::from_str_radix(digits, 8).ok().filter(|&mask| mask <= 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_umask_line() {
        assert_eq!(parse_umask(b"Name:\tx\nUmask:\t0027\nState:\tS\n"), Some(0o027));
        assert_eq!(parse_umask(b"Name:\tUmask\n"), None);
        assert_eq!(parse_umask(b"Umask:\t9\n"), None);
        assert_eq!(parse_umask(b""), None);
    }

    #[test]
    fn requested_bits_win_and_special_bits_are_dropped() {
        assert_eq!(final_mode(Some(0o6754)).as_raw_mode(), 0o754);
        assert_eq!(final_mode(None).as_raw_mode() & 0o111, 0);
    }
}
