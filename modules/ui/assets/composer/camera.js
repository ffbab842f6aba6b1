// A picture from the camera, put into the message box as if it were pasted.
(() => {
  "use strict";
  /** @type {Record<string, string>} */
  const REASONS = {
    NotAllowedError: window.text("The browser does not let this page use the camera. Allow it beside the page's address."),
    NotFoundError: window.text("There is no camera."),
    NotReadableError: window.text("Another program uses the camera."),
  };
  const QUALITY = 0.92;

  const open = async () => {
    if (!navigator.mediaDevices?.getUserMedia)
      throw new Error(window.text("Browsers open the camera only for pages of this machine or with HTTPS."));
    try {
      // The camera at the back of a phone; most others have one camera only.
      return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      throw new Error(REASONS[name] ?? window.text("The camera cannot be opened."));
    }
  };

  /** @param {HTMLVideoElement} video @returns {Promise<File>} */
  const picture = (video) =>
    new Promise((resolve, reject) => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d")?.drawImage(video, 0, 0);
      canvas.toBlob((blob) => {
        if (blob) resolve(new File([blob], "camera.jpg", { type: "image/jpeg" }));
        else reject(new Error(window.text("The camera shows no picture yet.")));
      }, "image/jpeg", QUALITY);
    });

  /** @param {File} file */
  const attach = (file) => {
    const files = new DataTransfer();
    files.items.add(file);
    const paste = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: files });
    document.querySelector("#box textarea")?.dispatchEvent(paste);
  };

  const show = () => {
    const video = window.overlay.element("video", { autoplay: true, muted: true, playsInline: true, className: "camera-view" });
    video.setAttribute("aria-label", window.text("What the camera sees"));
    /** @type {MediaStream | null} */
    let stream = null;
    let isClosed = false;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    const handle = window.overlay.open({
      title: window.text("Camera"),
      content: video,
      focus: ".overlay-actions .primary",
      actions: [
        { label: window.text("Cancel") },
        { label: window.text("Take picture"), kind: "primary", act: async () => attach(await picture(video)) },
      ],
      onClose: () => {
        isClosed = true;
        stop();
      },
    });
    open().then(
      (opened) => {
        stream = opened;
        // The dialog may have been closed while the browser asked.
        if (isClosed) stop();
        else video.srcObject = opened;
      },
      (error) => handle.fail(error.message),
    );
  };

  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#camera")) show();
  });
})();
