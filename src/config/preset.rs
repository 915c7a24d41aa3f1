//! Presets: the defaults and limits of five products, as data. An object that names one (`preset = "portsip"`) has
//! the preset's values where it says nothing itself, and must keep the preset's limits besides the field's own.

use super::value::Value;
use std::sync::OnceLock;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Their names, in the order of the reference.
pub const NAMES: &[&str] = &["ring2all", "portsip", "mikopbx", "fonolo", "voximplant"];

const TEXTS: [&str; 5] = [
    include_str!("presets/ring2all.toml"),
    include_str!("presets/portsip.toml"),
    include_str!("presets/mikopbx.toml"),
    include_str!("presets/fonolo.toml"),
    include_str!("presets/voximplant.toml"),
];

/// A preset.
#[derive(Debug)]
pub struct Preset {
    /// What files call it.
    pub name: &'static str,
    text: &'static str,
    root: DeTable<'static>,
}

/// All presets.
pub fn all() -> &'static [Preset] {
    static ALL: OnceLock<Vec<Preset>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = |(name, text): (&&'static str, &&'static str)| {
            let root = DeTable::parse(text).expect("presets are TOML, which the tests read one by one").into_inner();
            Preset { name, text, root }
        };
        NAMES.iter().zip(&TEXTS).map(read).collect()
    })
}

/// A preset by name.
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

impl Preset {
    /// One line about it.
    pub fn about(&self) -> &str {
        match self.root.get("about").map(Spanned::get_ref) {
            Some(DeValue::String(about)) => about,
            _ => "", // a preset without one
        }
    }

    /// What it says of a table's fields: each with its value as TOML.
    pub fn values(&self, table: &str) -> Vec<(&str, &'static str)> {
        let fields = self.table(&self.root, table).into_iter().flatten();
        fields.map(|(key, item)| (&**key.get_ref(), &self.text[item.span()])).collect()
    }

    /// The limits it sets besides those of the fields.
    pub fn limits(&self, table: &str) -> Vec<(&str, &'static str)> {
        let fields = self.limits_of(table).into_iter().flatten();
        fields.map(|(key, item)| (&**key.get_ref(), &self.text[item.span()])).collect()
    }

    /// Its value of a field.
    pub(super) fn value(&self, table: &str, field: &str) -> Option<&Spanned<DeValue<'static>>> {
        self.table(&self.root, table)?.get(field)
    }

    /// What is wrong with a value by its own limits, as the rest of a sentence.
    pub(super) fn complaint(&self, table: &str, field: &str, value: &Value) -> Option<String> {
        let (least, most) = limits(self.limits_of(table)?.get(field)?)?;
        let numbers: Vec<u64> = match value {
            Value::List(list) => list.iter().filter_map(|read| number(&read.value)).collect(),
            one => number(one).into_iter().collect(),
        };
        let wrong = numbers.into_iter().find(|number| !(least..=most).contains(number))?;
        Some(format!("is {wrong}, its limits in preset \"{}\" are {least} to {most}", self.name))
    }

    fn table<'a>(&self, root: &'a DeTable<'static>, name: &str) -> Option<&'a DeTable<'static>> {
        if let Some(DeValue::Table(table)) = root.get(name).map(Spanned::get_ref) { Some(table) } else { None }
    }

    fn limits_of(&self, table: &str) -> Option<&DeTable<'static>> {
        self.table(self.table(&self.root, "limits")?, table)
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Secs(secs) => Some(secs.as_secs()),
        _ => None, // no number
    }
}

fn limits(item: &Spanned<DeValue<'_>>) -> Option<(u64, u64)> {
    let DeValue::Array(pair) = item.get_ref() else { return None };
    let bound = |at: usize| match pair.get(at).map(Spanned::get_ref) {
        Some(DeValue::Integer(digits)) => digits.as_str().parse().ok(),
        Some(_) | None => None,
    };
    Some((bound(0)?, bound(1)?))
}

#[cfg(test)]
mod tests {
    use super::super::{report::Report, schema::find_field, tables::find_table};
    use super::*;

    #[test]
    fn every_value_of_a_preset_is_one_the_file_would_take_and_every_limit_is_a_pair() {
        for preset in all() {
            assert!(!preset.about().is_empty(), "{}", preset.name);
            for (table, _) in preset.root.iter().filter(|(_, item)| matches!(item.get_ref(), DeValue::Table(_))) {
                let name: &str = table.get_ref();
                let Some(table) = find_table(name) else {
                    assert_eq!(name, "limits", "{}", preset.name);
                    continue;
                };
                assert!(find_field(table.fields, "preset").is_some(), "{name} takes no preset");
                for (field, _) in preset.values(name) {
                    let known = find_field(table.fields, field).unwrap_or_else(|| panic!("{name} has no {field}"));
                    let mut report = Report::default();
                    let value =
                        super::super::read::read_field(field, known, preset.value(name, field).unwrap(), &mut report);
                    let value = value.unwrap_or_else(|| panic!("{} {name}.{field}: {report:?}", preset.name));
                    assert_eq!(preset.complaint(name, field, &value), None, "{} {name}.{field}", preset.name);
                }
                for (field, text) in preset.limits(name) {
                    assert!(limits(&preset.limits_of(name).unwrap()[field]).is_some(), "{name}.{field} {text}");
                }
            }
        }
    }
}
