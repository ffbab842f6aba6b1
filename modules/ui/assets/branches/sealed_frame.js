// A document that can reach nothing: neither the network, nor the page, nor storage, nor the address of the window.
(() => {
  "use strict";
  // The page's own policy holds in it as well.
  const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";
  // No policy names what finds a way through peers, so it goes before the artifact's own code runs. Frames within would
  // bring it back, so there are none.
  const PROLOGUE = `<script>(() => {
    for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport", "WebSocketStream"]) delete window[name];
    const removed = (nodes) => { for (const node of nodes) { if (node.nodeType !== 1) continue; if (node.matches("iframe, frame, object, embed, portal, fencedframe, link")) node.remove(); else for (const each of node.querySelectorAll("iframe, frame, object, embed, portal, fencedframe, link")) each.remove(); } };
    new MutationObserver((records) => { for (const record of records) removed(record.addedNodes); }).observe(document, { childList: true, subtree: true });
  })();</` + "script>";

  /** @param {string} text */
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  /** @param {string} policy */
  const policyTag = (policy) => `<meta http-equiv="Content-Security-Policy" content="${policy}">`;

  /** The frame's own parent is a document whose policy allows no address in a frame: so it cannot go anywhere, either.
   * @param {string} content HTML, of which nothing is trusted @param {string} name */
  const sealedFrame = (content, name) => {
    const inner = `<!doctype html><meta charset="utf-8">${policyTag(POLICY)}${PROLOGUE}${content}`;
    const outer =
      `<!doctype html><meta charset="utf-8">${policyTag(`${POLICY}; frame-src 'none'`)}` +
      "<style>html,body{margin:0;height:100%}iframe{display:block;width:100%;height:100%;border:0}</style>" +
      `<iframe sandbox="allow-scripts" title="${escaped(name)}" srcdoc="${escaped(inner)}"></iframe>`;
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.setAttribute("referrerpolicy", "no-referrer");
    frame.setAttribute("allow", "");
    frame.title = name;
    frame.srcdoc = outer;
    return frame;
  };
  window.sealedFrame = sealedFrame;
})();
