package online
import ("testing";"os";"strings";"fmt";"time";"sync";"sync/atomic";"runtime/debug")
func rss(t *testing.T, when string) {
 b,_ := os.ReadFile("/proc/self/status")
 for _, l := range strings.Split(string(b),"\n") { if strings.HasPrefix(l,"VmHWM")||strings.HasPrefix(l,"VmRSS")||strings.HasPrefix(l,"RssAnon")||strings.HasPrefix(l,"RssFile") { fmt.Println(when,l) } }
}
func TestTmpLoad(t *testing.T) {
 if os.Getenv("GOMEMLIMITX")!="" { debug.SetMemoryLimit(400<<20) }
 h := openHouse(t, benchConfig)
 var next atomic.Int64
 began := time.Now()
 var wg sync.WaitGroup
 for range 8 { wg.Go(func(){ for { from := next.Add(500)-500; if from >= 1_000_000 { return }
   var w Write
   for id := range int64(500) { w.Changes = append(w.Changes, benchRow((from+id)*7919%1_000_000)) }
   h.append(w) } }) }
 wg.Wait()
 fmt.Println("rows/s", 1e6/time.Since(began).Seconds())
 rss(t,"loaded")
 h.stop()
 began = time.Now()
 s, err := Open(h.cfg)
 if err != nil { t.Fatal(err) }
 fmt.Println("open after clean", time.Since(began))
 h.Store, h.stop = s, run(t, s)
 h.append(write(benchRow(5)))
 for i := range 40 { var w Write; for id := range int64(500) { w.Changes = append(w.Changes, benchRow(int64(i)*500+id)) }; h.append(w) }
 dir := t.TempDir()
 os.CopyFS(dir, os.DirFS(h.cfg.Dir))
 cfg := h.cfg; cfg.Dir = dir
 began = time.Now()
 s2, err := Open(cfg)
 if err != nil { t.Fatal(err) }
 fmt.Println("open after crash", time.Since(began))
 s2.Close()
 rss(t,"end")
}
