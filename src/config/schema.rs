//! What a field of the file is: its kind with its limits, its default, and whether this version honours it. The
//! tables in `tables.rs` are written in these words; reader, checks and reference all read them from there.
//!
//! A default is TOML text and goes through the same reader as a value from a file, so the reference cannot promise
//! another default than the one in force.

/// The text that stands for "no limit" where the model says `null`.
pub const NONE: &str = "\"none\"";

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within these limits.
    Integer(i64, i64),
    /// A duration in seconds within these limits: `30`, `"30s"`, `"15m"`, `"2h"`, `"1d"`.
    Secs(u64, u64),
    /// Text of so many characters, without control characters.
    Text(usize, usize),
    /// So many decimal digits.
    Digits(usize, usize),
    /// What a dialled number may contain: digits, `+`, `*`, `#`; at most 32.
    Dialled,
    /// One telephone key out of these.
    Key(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The name of an object of this table.
    Ref(&'static str),
    /// The name of a `[[prompt]]`, or `""` for silence.
    Sound,
    /// The name of a `[[prompt]]`, `""`, or a table with mode.
    Notice(&'static [Field]),
    /// `queue:NAME`, `agent:NAME`, `group:NAME`, `ivr:NAME` or `hangup:STATUS`.
    Destination,
    /// `same`, `queue:NAME`, `agent:NAME` or `missed_by`.
    ServedBy,
    /// ISO 3166 alpha-2.
    Country,
    /// IANA zone.
    Zone,
    /// E.164 with `+`.
    Number,
    /// A number, or its beginning with `*` at the end.
    Pattern,
    /// An IP address.
    Ip,
    /// `address:port`.
    Socket,
    /// `low-high`.
    Ports,
    /// A host name or an IP address.
    Host,
    /// A host with an optional port.
    HostPort,
    /// `address/bits`, or an address.
    Cidr,
    /// A file, relative to the configuration.
    Path,
    /// `HH:MM`; `24:00` only where it is an end.
    Time(End),
    /// `YYYY-MM-DD`.
    Date,
    /// An instant, RFC 3339.
    Instant,
    /// `mon-fri`, `sat`, `mon,wed`.
    Days,
    /// A list of these, so many of them.
    List(&'static Kind, usize, usize),
    /// An inline table.
    Table(&'static [Field]),
    /// An inline table whose keys are free, or telephone keys.
    Map(Keys, &'static Kind),
}

/// Whether a time of day ends a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It begins one: `24:00` is refused.
    No,
    /// It ends one: `24:00` is midnight of the next day.
    Yes,
}

/// Which keys a map takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Names.
    Names,
    /// `0`–`9`, `*`, `#`.
    Telephone,
}

/// What holds when a field is not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It must be there.
    Required,
    /// Nothing; the doc line says what that means.
    Unset,
    /// This TOML value.
    Default(&'static str),
}

/// Whether this version does what the field says.
#[derive(Clone, Copy, Debug)]
pub enum Honoured {
    /// It does.
    Yes,
    /// It accepts the field and warns.
    NotYet,
    /// It does for these TOML values, and warns at others.
    Only(&'static [&'static str]),
}

/// One field of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// What holds without it.
    pub absent: Absent,
    /// `"none"` is allowed: no limit.
    pub or_none: bool,
    /// Whether it is honoured.
    pub honoured: Honoured,
    /// One line about it.
    pub doc: &'static str,
}

/// A field with a default, in TOML.
pub const fn field(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Field {
    Field { name, kind, absent: Absent::Default(default), or_none: false, honoured: Honoured::Yes, doc }
}

/// A field that may be left out.
pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, absent: Absent::Unset, or_none: false, honoured: Honoured::Yes, doc }
}

/// A field that must be there.
pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, absent: Absent::Required, or_none: false, honoured: Honoured::Yes, doc }
}

impl Field {
    /// Accepted, not honoured yet.
    pub const fn not_yet(mut self) -> Field {
        self.honoured = Honoured::NotYet;
        self
    }

    /// Honoured for these TOML values only.
    pub const fn only(mut self, values: &'static [&'static str]) -> Field {
        self.honoured = Honoured::Only(values);
        self
    }

    /// `"none"` stands for no limit.
    pub const fn or_none(mut self) -> Field {
        self.or_none = true;
        self
    }
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its key.
    pub name: &'static str,
    /// `[name]`, or `[[name]]` many times.
    pub many: bool,
    /// The field that names an object, unique among them.
    pub key: Option<&'static str>,
    /// Whether anything in it is honoured.
    pub honoured: bool,
    /// Its fields.
    pub fields: &'static [Field],
    /// One line about it.
    pub doc: &'static str,
}

impl Table {
    /// How people write its header.
    pub fn header(&self) -> String {
        if self.many { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

/// A field by name.
pub fn find_field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}
