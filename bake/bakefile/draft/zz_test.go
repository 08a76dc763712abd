package draft_test
import ("testing";"os";"fmt";"github.com/crane-bake/crane-bake/bake/bakefile/draft")
func TestZ(t *testing.T){ d,err:=draft.New(os.DirFS(os.Getenv("ZDIR")),"."); fmt.Println(string(d.Content),d.Questions,err)}
