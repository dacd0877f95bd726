/** The report's look, for light and dark. */
export const STYLE = `
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem}h2{margin-top:2.4rem;border-bottom:1px solid #8884}h3{margin:1.2rem 0 .3rem;font-size:1rem}
.recipe{font-size:.8rem;opacity:.7}
table.funnel{border-collapse:collapse;width:100%}
.funnel td{padding:.1rem .5rem}.funnel td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.funnel tr.dropped td:first-child{padding-left:1.8rem;opacity:.75}.funnel tr.left{font-weight:600}
code{font-size:.8em;opacity:.75;font-weight:400}
.track{width:40%}.bar{display:block;height:.75rem;min-width:1px}.bar.left{background:#2a7f9e}.bar.dropped{background:#c8743c}
.figures{display:grid;grid-template-columns:1fr 1fr;gap:1.2rem}figure{margin:0}figcaption{font-size:.85rem;margin-bottom:.3rem}
svg{width:100%;height:auto}svg text{font-size:10px;fill:currentColor}
.legend{font-size:.85rem}.legend i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}
.person{display:flex;gap:3px;align-items:center;margin-bottom:3px}.person span{width:12rem;font-size:.75rem;overflow:hidden;text-overflow:ellipsis}
.tiles{display:flex;flex-wrap:wrap;gap:3px}img{border-radius:3px;display:block}
@media(max-width:700px){.figures{grid-template-columns:1fr}.person{flex-wrap:wrap}.person span{width:100%}}
`.replaceAll("\n", "");
