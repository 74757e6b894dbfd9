//! The Python client's codes are those of the rules.

use florin_client::Code;

#[test]
fn the_python_clients_codes_are_the_rules_codes() {
    let text = include_str!("../../../clients/python/src/florin_ledger/codes.py");
    let written: Vec<&str> = text.lines().filter(|line| line.starts_with("    ") && line.contains(" = ")).map(str::trim).collect();
    let expected: Vec<String> = Code::ALL.iter().map(|code| format!("{} = {}", code.name().to_uppercase(), code.number())).collect();
    assert_eq!(written, expected, "run clients/python/tools/generate_codes.py");
    let passing = text.split("_PASSING: ").nth(1).expect("the last list");
    for code in Code::ALL {
        let listed = passing.contains(&format!("Code.{},", code.name().to_uppercase()));
        assert_eq!(listed, code.is_passing(), "{}", code.name());
    }
}
