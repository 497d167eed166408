package cookiepolicy

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// instance is this process among all that write evidence to one storage.
var instance struct {
	once sync.Once
	id   string
	err  error    // why the id is another one with each start
	lock *os.File // held for as long as the process runs
}

// maxSlots is how many processes can have one data directory.
const maxSlots = 100

// instanceID returns the name of this process: Caddy's instance id, which is in the data directory, and the
// number of a slot there. A lock of the operating system holds the slot, so that two processes never have
// one name, and one that is killed gives it back. If there is no such directory, the name is a random one,
// and the error says why.
func instanceID() (string, error) {
	instance.once.Do(func() {
		id, err := caddy.InstanceID()
		if err == nil {
			var slot int
			if slot, instance.lock, err = takeSlot(caddy.AppDataDir()); err == nil {
				instance.id = fmt.Sprintf("%s-%d", id, slot)
				return
			}
		}
		instance.id, instance.err = "random-"+rand.Text(), err
	})
	return instance.id, instance.err
}

// takeSlot locks the first slot in a directory that no process has.
func takeSlot(dir string) (slot int, lock *os.File, err error) {
	for slot := range maxSlots {
		file, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("cookie_policy-%d.lock", slot)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return 0, nil, err
		}
		taken, err := lockFile(file)
		if taken {
			return slot, file, nil
		}
		file.Close()
		if err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("%s: %d processes run with this data directory", dir, maxSlots)
}
