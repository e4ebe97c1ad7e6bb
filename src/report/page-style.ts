/** The style sheet of the page: one column of a printed report, a typographic scale of 1.25, dark and light. */

/** CSS, inlined into the page. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;
--paper:#fbfaf7;--sheet:#ffffff;--ink:#1c1d1f;--soft:#5d6066;--faint:#8b8e94;--rule:#e2dfd8;--wash:#f3f1ec;
--pass:#1d7a4c;--fail:#b4261d;--vacuous:#7a45b0;--unknown:#9a6200;--broken:#8c1d52;--none:#8b8e94;--accent:#2b5c8a;
--serif:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{
--paper:#131518;--sheet:#1a1d21;--ink:#e9e7e2;--soft:#a9acb2;--faint:#7d8087;--rule:#2e3238;--wash:#20242a;
--pass:#5cc792;--fail:#f2857b;--vacuous:#c19aec;--unknown:#e0ac52;--broken:#ee8abb;--none:#7d8087;--accent:#7fb2e0}}
*{box-sizing:border-box}
html{font:16px/1.55 var(--sans);background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0}
main{max-width:60rem;margin:0 auto;padding:4rem 2rem 6rem}
h1,h2,h3{font-family:var(--serif);font-weight:600;line-height:1.15;margin:0}
h2{font-size:1.95rem;letter-spacing:-.01em}
h3{font-family:var(--sans);font-size:.78rem;font-weight:650;letter-spacing:.07em;text-transform:uppercase;color:var(--soft);margin:2.2rem 0 .7rem}
p{margin:.6rem 0}
a{color:inherit}
code,pre,.mono{font-family:var(--mono);font-size:.84em}
.masthead{display:flex;justify-content:space-between;gap:2rem;flex-wrap:wrap;border-bottom:1px solid var(--rule);padding-bottom:.9rem;color:var(--soft);font-size:.9rem}
.masthead b{color:var(--ink);font-weight:650}
.verdict{padding:3.2rem 0 2.4rem}
.word{font-family:var(--serif);font-weight:600;font-size:clamp(3.6rem,12vw,7.45rem);line-height:.95;letter-spacing:-.03em;color:var(--tone);margin:0}
.lead{font-family:var(--serif);font-size:1.56rem;line-height:1.35;max-width:38rem;margin:1.4rem 0 0}
.headline{color:var(--soft);font-family:var(--mono);font-size:.9rem;margin-top:1rem}
.facts{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:1.4rem 2rem;border-top:1px solid var(--rule);padding-top:1.4rem;margin:0}
.facts dt{font-size:.78rem;color:var(--soft)}
.facts dd{margin:.1rem 0 0;font-size:1.25rem;font-family:var(--serif);font-variant-numeric:tabular-nums lining-nums;overflow-wrap:anywhere}
.facts dd small{font:400 .78rem var(--sans);color:var(--soft)}
.strip{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:.6rem;margin:3rem 0 0;padding:0;list-style:none}
.strip a{display:block;text-decoration:none;background:var(--sheet);border:1px solid var(--rule);border-top:5px solid var(--tone);border-radius:3px;padding:.7rem .8rem .75rem;height:100%}
.strip a:hover{border-color:var(--tone)}
.strip b{display:block;font-size:.95rem;font-weight:600;line-height:1.25}
.strip i{display:block;font-style:normal;font-size:.8rem;color:var(--tone);font-weight:600;margin-top:.3rem}
.strip small{color:var(--faint);font-size:.76rem;font-variant-numeric:tabular-nums}
.hollow a{border-top-style:dashed;background:none}
section{margin-top:4.5rem;padding-top:1.6rem;border-top:1px solid var(--rule)}
section>header{display:flex;align-items:baseline;gap:1rem;flex-wrap:wrap}
.question{font-family:var(--serif);font-style:italic;font-size:1.2rem;color:var(--soft);margin:.5rem 0 0;max-width:40rem}
.tag{font-size:.76rem;font-weight:650;letter-spacing:.04em;text-transform:uppercase;color:var(--tone);border:1.5px solid var(--tone);border-radius:99px;padding:.12rem .7rem;white-space:nowrap}
.aside{margin-left:auto;color:var(--faint);font-size:.85rem;font-variant-numeric:tabular-nums}
.reasons{border-left:4px solid var(--tone);background:var(--wash);padding:.8rem 1.2rem;margin:1.4rem 0 0;border-radius:0 3px 3px 0}
.reasons ul{margin:0;padding-left:1.1rem}
.reasons li{white-space:pre-wrap;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:0 3rem;align-items:start}
.columns>div{min-width:0}
table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{padding:.38rem .6rem .38rem 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:baseline;overflow-wrap:anywhere}
th{font-size:.76rem;font-weight:600;color:var(--soft)}
.number{text-align:right;font-variant-numeric:tabular-nums lining-nums;white-space:nowrap;overflow-wrap:normal}
td:last-child,th:last-child{padding-right:0}
.mark{color:var(--tone);font-weight:650;white-space:nowrap}
.soft{color:var(--soft)}.faint{color:var(--faint)}
.meter{display:block;height:3px;background:var(--rule);margin-top:.3rem;border-radius:2px}
.meter span{display:block;height:3px;background:var(--tone);border-radius:2px}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;padding:0;margin:0;list-style:none;font-size:.84rem}
.chips li{border:1px solid var(--rule);border-radius:3px;padding:.12rem .55rem;background:var(--sheet);font-variant-numeric:tabular-nums}
.chips .not{border-style:dashed;border-color:var(--unknown);color:var(--unknown);background:none}
figure{margin:1.2rem 0 0}
figcaption{font-size:.9rem;font-weight:600;margin-bottom:.4rem}
.unit{font-weight:400;color:var(--soft)}
svg{display:block;width:100%;height:auto;font-family:var(--sans)}
svg.wide{max-width:52rem}
.grid{stroke:var(--rule);stroke-width:1}.tick{font-size:11px;fill:var(--faint)}.label{font-size:12px;fill:var(--ink)}.value{font-size:12px;fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.line{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}.area{fill:var(--accent);opacity:.1}.dot{fill:var(--accent)}
.bar{fill:var(--accent)}.stem{stroke:var(--accent);stroke-width:1.5;opacity:.35}.budget{stroke:var(--faint);stroke-width:1.5}
details{margin:.35rem 0 0}summary{cursor:pointer;color:var(--soft);font-size:.86rem}
pre{background:var(--wash);border-radius:3px;padding:.8rem 1rem;overflow-x:auto;line-height:1.5;margin:.5rem 0}
.plain{padding-left:1.1rem;margin:0}.plain li{margin:.25rem 0}
.sabotages{columns:22rem 2;column-gap:3rem;padding:0;list-style:none;margin:.4rem 0 0}
.sabotages li{break-inside:avoid;padding:.45rem 0;border-bottom:1px solid var(--rule)}
.wide{overflow-x:auto}
.sabotages small{display:block;color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}
.score{font-family:var(--serif);font-size:1.95rem;color:var(--tone);margin:.6rem 0 0}
footer{margin-top:5rem;padding-top:1.4rem;border-top:1px solid var(--rule);color:var(--soft);font-size:.88rem}
.legend{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:0 0 1.4rem}
.legend dt{color:var(--tone);font-weight:650}.legend dd{margin:0}
.t-pass{--tone:var(--pass)}.t-fail{--tone:var(--fail)}.t-vacuous{--tone:var(--vacuous)}.t-unknown{--tone:var(--unknown)}.t-broken{--tone:var(--broken)}.t-none{--tone:var(--none)}
@media (max-width:46rem){.facts,.strip{grid-template-columns:repeat(2,minmax(0,1fr))}main{padding:2rem 1.1rem 4rem}.aside{margin-left:0}}
@media print{html{background:#fff;font-size:11pt}main{max-width:none;padding:0}section{break-inside:auto}h2,h3{break-after:avoid}}
`;
