/** Words as they may stand in SVG or HTML, between tags and in an attribute's quotes. */
export const escapeXml = (words: string): string =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
