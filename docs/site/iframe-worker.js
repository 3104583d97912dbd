// Where the site is opened from disk, runs its search in a hidden frame: browsers start no worker from a file.
// Zensical would load a script for this from the network, if the site had none of this name.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = "<!doctype html>";
      this.inside = new Promise((started, failed) => {
        this.frame.onload = () => {
          const inside = this.frame.contentWindow;
          inside.postMessage = (data) => this.receive(structuredClone(data));
          const script = inside.document.createElement("script");
          script.onload = () => started(inside);
          script.onerror = failed;
          script.src = new URL(url, location);
          inside.document.head.append(script);
        };
      });
      this.inside.catch((error) => this.onerror?.(error));
      document.body.append(this.frame);
    }

    receive(data) {
      setTimeout(() => this.onmessage?.({ data }));
    }

    async postMessage(data) {
      const copy = structuredClone(data);
      (await this.inside).onmessage({ data: copy });
    }

    terminate() {
      this.frame.remove();
    }
  };
}
