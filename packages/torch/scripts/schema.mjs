// Reads a schema text such as `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.

/** Splits at commas that are not inside brackets. */
function splitArguments(text) {
  const parts = [];
  let depth = 0;
  let part = "";
  for (const c of text) {
    if ("([".includes(c)) depth++;
    if (")]".includes(c)) depth--;
    if (c === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += c;
  }
  if (part.trim()) parts.push(part.trim());
  return parts;
}

function parseArgument(text) {
  const match = text.match(
    /^(?<type>[A-Za-z]+)(?<alias>\([^)]*\))?(?<list>(?:\?)?\[\d*\])?(?<optional>\?)?(?:\s+(?<name>\w+)(?:=(?<value>.*))?)?$/,
  );
  if (!match) throw new Error(`cannot read the schema argument "${text}"`);
  const { type, alias, list, optional, name, value } = match.groups;
  return {
    name,
    // SymInt is how newer versions register the same int.
    type: type === "SymInt" ? "int" : type,
    list: list !== undefined,
    elementOptional: list?.startsWith("?") ?? false,
    fixedLength: Number(list?.match(/\d+/)?.[0] ?? 0),
    optional: optional !== undefined,
    hasDefault: value !== undefined,
    writes: alias?.includes("!") ?? false,
  };
}

export function parseSchema(text) {
  const match = text.match(/^(?<full>[\w:]+(?:\.\w+)?)\((?<args>.*)\) -> (?<returns>.*)$/);
  if (!match) throw new Error(`cannot read the schema "${text}"`);
  let keywordOnly = false;
  const parameters = [];
  for (const part of splitArguments(match.groups.args)) {
    if (part === "*") keywordOnly = true;
    else parameters.push({ ...parseArgument(part), keywordOnly });
  }
  const { returns } = match.groups;
  const results = splitArguments(/^\(.*\)$/.test(returns) ? returns.slice(1, -1) : returns).map(parseArgument);
  return { name: match.groups.full, parameters, results };
}
